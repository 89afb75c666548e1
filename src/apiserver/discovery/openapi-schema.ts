import type { Json } from "../json.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { DEFINITIONS, type FieldType, type Scalar, shapeOf } from "../schema.ts";
import { describeField, describeType } from "./descriptions.ts";

/** A schema as OpenAPI writes it, in the subset the API's types need. Custom resources bring more keywords: those are passed on as they are. */
export interface OpenApiSchema {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly $ref?: string;
  readonly enum?: readonly Json[];
  readonly allOf?: readonly OpenApiSchema[];
  readonly items?: OpenApiSchema;
  readonly additionalProperties?: OpenApiSchema | boolean;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly required?: readonly string[];
  readonly [extension: `x-kubernetes-${string}`]: unknown;
}

/** What a kind's name stands for in a document. */
export function kindSchema(spec: KindSpec, refs: RefStyle): OpenApiSchema {
  return spec.custom?.openApi(refs.version) ?? definitionSchema(spec.definition, refs);
}

export const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** The schemas of a document that tells of `kinds`, by name. */
export function schemasOf(kinds: readonly KindSpec[], refs: RefStyle): Record<string, OpenApiSchema> {
  const roots = kinds.map((spec) => (spec.custom === undefined ? spec.definition : OBJECT_META));
  const named = closureOf(roots).map((name) => [name, definitionSchema(name, refs)] as const);
  const custom = kinds
    .filter((spec) => spec.custom !== undefined)
    .map((spec) => [spec.definition, kindSchema(spec, refs)] as const);
  return Object.fromEntries([...named, ...custom]);
}

export type RefStyle = { readonly version: 2 | 3; readonly prefix: string; readonly wrapsRefs: boolean };
export const V2_REFS: RefStyle = { version: 2, prefix: "#/definitions/", wrapsRefs: false };
export const V3_REFS: RefStyle = { version: 3, prefix: "#/components/schemas/", wrapsRefs: true };

const SCALARS: Readonly<Record<Scalar, OpenApiSchema>> = {
  string: { type: "string" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  boolean: { type: "boolean" },
  bytes: { type: "string", format: "byte" },
  any: { type: "object" },
  json: {},
  quantity: { type: "string" },
  "int-or-string": { type: "string", format: "int-or-string" },
  time: { type: "string", format: "date-time" },
  "micro-time": { type: "string", format: "date-time" },
};

export function definitionSchema(name: string, refs: RefStyle): OpenApiSchema {
  const definition = DEFINITIONS[name];
  if (definition === undefined) throw new Error(`broken invariant: no schema for ${name}`);
  const properties = Object.entries(definition.fields).map(
    ([field, type]) => [field, fieldSchema(type, refs, describeField(name, field))] as const,
  );
  const description = describeType(name);
  return {
    ...(description === undefined ? {} : { description }),
    type: "object",
    ...(definition.required ? { required: definition.required } : {}),
    ...(properties.length > 0 ? { properties: Object.fromEntries(properties) } : {}),
    ...(definition.atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
    ...(definition.gvk ? { "x-kubernetes-group-version-kind": [definition.gvk] } : {}),
  };
}

function fieldSchema(type: FieldType, refs: RefStyle, description?: string): OpenApiSchema {
  const extensions = { ...(description === undefined ? {} : { description }), ...patchExtensions(type) };
  const shape = shapeOf(type);
  switch (shape.is) {
    case "scalar":
      return { ...SCALARS[shape.scalar], ...extensions };
    case "struct": {
      // An object or something else: no one type says it.
      if (typeof type !== "string" && "or" in type) return extensions;
      const $ref = refs.prefix + shape.name;
      const isBare = Object.keys(extensions).length === 0 || !refs.wrapsRefs;
      return isBare ? { $ref, ...extensions } : { allOf: [{ $ref }], ...extensions };
    }
    case "list":
      return {
        type: "array",
        items: fieldSchema(shape.type.list, refs),
        "x-kubernetes-list-type": shape.type.kind ?? "atomic",
        ...(shape.type.keys ? { "x-kubernetes-list-map-keys": shape.type.keys } : {}),
        ...extensions,
      };
    case "map":
      return {
        type: "object",
        additionalProperties: fieldSchema(shape.type.map, refs),
        ...(shape.type.atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
        ...extensions,
      };
    default:
      return shape satisfies never;
  }
}

function patchExtensions(type: FieldType): OpenApiSchema {
  if (typeof type === "string") return {};
  return {
    ...(type.patch ? { "x-kubernetes-patch-strategy": type.patch } : {}),
    ...(type.mergeKey ? { "x-kubernetes-patch-merge-key": type.mergeKey } : {}),
  };
}

/** The definitions that `roots` are made of, themselves included, sorted. */
export function closureOf(roots: readonly string[]): string[] {
  const seen = new Set<string>();
  const visit = (type: FieldType): void => {
    const shape = shapeOf(type);
    if (shape.is === "list") visit(shape.type.list);
    else if (shape.is === "map") visit(shape.type.map);
    else if (shape.is === "struct" && !seen.has(shape.name)) {
      seen.add(shape.name);
      for (const inner of Object.values(shape.definition.fields)) visit(inner);
    }
  };
  for (const root of roots) visit(root);
  return [...seen].sort();
}
