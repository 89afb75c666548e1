import type { Json } from "../json.ts";
import { type Definition, type FieldType, type ListType, UNTYPED } from "../schema.ts";
import { declared, defaultOf, isEmbedded, itemsOf, preserves, type Schema, valuesOf } from "./schema.ts";

const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const OBJECT_FIELDS: Readonly<Record<string, FieldType>> = {
  apiVersion: "string",
  kind: "string",
  metadata: OBJECT_META,
};

/** What server-side apply must know of a whole custom resource: what is merged by field, by key, by value, or taken whole. */
export function objectType(schema: Schema): FieldType {
  return structOf(schema, OBJECT_FIELDS);
}

const made = new WeakMap<Schema, FieldType>();

function typeOfSchema(schema: Schema): FieldType {
  const known = made.get(schema);
  if (known !== undefined) return known;
  const type = makeType(schema);
  made.set(schema, type);
  return type;
}

function makeType(schema: Schema): FieldType {
  if (schema["x-kubernetes-int-or-string"]) return "any";
  const items = itemsOf(schema);
  if (schema.type === "array" && items !== undefined) return listOf(schema, items);
  if (schema.type !== "object" && !preserves(schema)) return "any";
  if (isEmbedded(schema)) return structOf(schema, OBJECT_FIELDS);
  const values = valuesOf(schema);
  if (values !== undefined)
    return { map: typeOfSchema(values), ...(isAtomic(schema) ? { atomic: true } : {}) };
  return structOf(schema, {});
}

function isAtomic(schema: Schema): boolean {
  return schema["x-kubernetes-map-type"] === "atomic";
}

/** Its fields' types are made when they are first looked at. */
function structOf(schema: Schema, own: Readonly<Record<string, FieldType>>): FieldType {
  const fields: Record<string, FieldType> = {};
  for (const [field, child] of Object.entries(schema.properties ?? {}))
    if (!Object.hasOwn(own, field))
      Object.defineProperty(fields, field, { enumerable: true, get: () => typeOfSchema(child) });
  Object.assign(fields, own);
  const others = preserves(schema) || schema.additionalProperties === true ? { others: UNTYPED } : {};
  const struct: Definition = { fields, ...others };
  return { struct, ...(isAtomic(schema) ? { atomic: true } : {}) };
}

function listOf(schema: Schema, items: Schema): ListType {
  const list = typeOfSchema(items);
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  switch (schema["x-kubernetes-list-type"]) {
    case "set":
      return { list, kind: "set" };
    case "map": {
      const defaults = keys.flatMap((key): [string, Json][] => {
        const value = defaultOf(declared(items, key));
        return value === undefined ? [] : [[key, value]];
      });
      return { list, kind: "map", keys, keyDefaults: Object.fromEntries(defaults) };
    }
    default:
      return { list };
  }
}
