import { isObject, type Json, type JsonObject } from "../json.ts";
import { declared, isEmbedded, itemsOf, preserves, type Schema, TYPE_FIELDS, valuesOf } from "./schema.ts";

/** Removes in place what the schema does not name, and gives the paths of what it removed. `isRoot`: the value is a whole object, whose type and
 *  metadata are kept whatever the schema says. */
export function prune(value: Json, schema: Schema, options: { readonly isRoot: boolean }): readonly string[] {
  const unknown: string[] = [];
  const root = options.isRoot ? { ...schema, "x-kubernetes-embedded-resource": true } : schema;
  pruneValue(value, root, { path: "", unknown });
  return unknown.sort();
}

interface Place {
  readonly path: string;
  readonly unknown: string[];
}

function pruneValue(value: Json, schema: Schema | undefined, place: Place): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const [i, item] of value.entries())
      if (preserves(schema)) keepUnknown(item, items, inside(place, `[${i}]`));
      else pruneValue(item, items, inside(place, `[${i}]`));
  } else if (isObject(value)) {
    if (preserves(schema)) keepUnknown(value, schema, place);
    else pruneFields(value, schema, place);
  }
}

function pruneFields(value: JsonObject, schema: Schema | undefined, place: Place): void {
  for (const field of Object.keys(value)) {
    if (isEmbedded(schema) && TYPE_FIELDS.has(field)) continue;
    const path = place.path === "" ? field : `${place.path}.${field}`;
    const named = declared(schema, field);
    const values = schema?.additionalProperties;
    const inner = value[field] ?? null;
    if (named !== undefined) pruneValue(inner, named, { ...place, path });
    else if (values !== undefined && values !== false)
      pruneValue(inner, valuesOf(schema), { ...place, path });
    else {
      if (!TYPE_FIELDS.has(field) || place.path !== "") place.unknown.push(path);
      delete value[field];
    }
  }
}

/** Unknown fields stay; what the schema names is pruned inside. */
function keepUnknown(value: Json, schema: Schema | undefined, place: Place): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const [i, item] of value.entries()) keepUnknown(item, items, inside(place, `[${i}]`));
  } else if (isObject(value))
    for (const [field, inner] of Object.entries(value)) {
      if (isEmbedded(schema) && TYPE_FIELDS.has(field)) continue;
      const path = place.path === "" ? field : `${place.path}.${field}`;
      const found = declared(schema, field) ?? valuesOf(schema);
      if (found !== undefined) pruneValue(inner, found, { ...place, path });
    }
}

function inside({ path, unknown }: Place, edge: string): Place {
  return { path: path + edge, unknown };
}
