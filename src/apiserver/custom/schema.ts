import type { JSONSchemaProps } from "#kube/generated/types";
import { isObject, type Json } from "../json.ts";

/** One node of a custom resource's schema, as its definition says it. */
export type Schema = JSONSchemaProps;

/** The schema of a list's elements; what is not one schema is refused when the definition is written. */
export function itemsOf(schema: Schema | undefined): Schema | undefined {
  const items = schema?.items;
  // An array here is what the type allows and the checks of a definition do not.
  return isObject(items) ? (items as Schema) : undefined;
}

/** The schema of a map's values; `true` and `false` are none. */
export function valuesOf(schema: Schema | undefined): Schema | undefined {
  const values = schema?.additionalProperties;
  return typeof values === "object" ? values : undefined;
}

/** The schema of one property, by its own name or as a map's value. */
export function propertyOf(schema: Schema | undefined, field: string): Schema | undefined {
  return declared(schema, field) ?? valuesOf(schema);
}

/** The schema of a property that is listed by name. */
export function declared(schema: Schema | undefined, field: string): Schema | undefined {
  const properties = schema?.properties;
  return properties !== undefined && Object.hasOwn(properties, field) ? properties[field] : undefined;
}

export function preserves(schema: Schema | undefined): boolean {
  return schema?.["x-kubernetes-preserve-unknown-fields"] === true;
}

export function isEmbedded(schema: Schema | undefined): boolean {
  return schema?.["x-kubernetes-embedded-resource"] === true;
}

export function defaultOf(schema: Schema | undefined): Json | undefined {
  // The type says unknown; what was decoded from JSON is JSON.
  const value = schema?.default as Json | undefined;
  return value === null ? undefined : value;
}

/** Fields that every object has, which a schema need not name. */
export const TYPE_FIELDS: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

/** A schema with every node below it, itself first, `path` as kube-apiserver writes it. */
export function* nodesOf(schema: Schema, path = ""): Generator<{ schema: Schema; path: string }> {
  yield { schema, path };
  for (const [edge, child] of childrenOf(schema))
    yield* nodesOf(child, `${path}${path === "" ? "" : "."}${edge}`);
}

function* childrenOf(schema: Schema): Generator<readonly [string, Schema]> {
  const { properties, not } = schema;
  for (const [field, child] of Object.entries(properties ?? {})) yield [`properties[${field}]`, child];
  const values = valuesOf(schema);
  if (values !== undefined) yield ["additionalProperties", values];
  const items = itemsOf(schema);
  if (items !== undefined) yield ["items", items];
  for (const word of ["allOf", "anyOf", "oneOf"] as const)
    for (const [i, child] of (schema[word] ?? []).entries()) yield [`${word}[${i}]`, child];
  if (not !== undefined) yield ["not", not];
}
