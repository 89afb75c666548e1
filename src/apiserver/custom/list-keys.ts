import { canonicalJson, isObject, type Json, type JsonObject, own } from "../json.ts";
import { duplicate, invalid } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { declared, itemsOf, type Schema, valuesOf } from "./schema.ts";

/** Elements that a list has twice, where its type (`set`, `map`) lets each be there once. */
export function listKeyErrors(value: Json, schema: Schema | undefined, path = ""): FieldError[] {
  if (schema === undefined) return [];
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    const below = value.flatMap((item, i) => listKeyErrors(item, items, `${path}[${i}]`));
    return [...repeated(value, schema, path), ...below];
  }
  if (!isObject(value)) return [];
  const values = valuesOf(schema);
  return Object.entries(value).flatMap(([field, inner]) => {
    const named = declared(schema, field);
    if (named !== undefined) return listKeyErrors(inner, named, path === "" ? field : `${path}.${field}`);
    return listKeyErrors(inner, values, `${path}[${field}]`);
  });
}

function repeated(list: readonly Json[], schema: Schema, path: string): FieldError[] {
  switch (schema["x-kubernetes-list-type"]) {
    case "set":
      return twice(list).map((i) => duplicate(`${path}[${i}]`, list[i]));
    case "map": {
      const wrong = list.findIndex((item) => item !== null && !isObject(item));
      if (wrong >= 0)
        return [invalid(`${path}[${wrong}]`, list[wrong], "must be an object for an array of list-type map")];
      const keys = list.map((item) => keyOf(item, schema["x-kubernetes-list-map-keys"] ?? []));
      return twice(keys).map((i) => duplicate(`${path}[${i}]`, keys[i]));
    }
    default:
      return [];
  }
}

function keyOf(item: Json, keys: readonly string[]): JsonObject {
  const out: JsonObject = {};
  for (const key of keys) {
    const value = isObject(item) ? own(item, key) : undefined;
    if (value !== undefined) out[key] = value;
  }
  return out;
}

/** Where something stands for the second time; what stands there a third time is not told again. */
function twice(values: readonly Json[]): number[] {
  const seen = new Map<string, number>();
  return values.flatMap((value, i) => {
    const text = canonicalJson(value);
    const times = (seen.get(text) ?? 0) + 1;
    seen.set(text, times);
    return times === 2 ? [i] : [];
  });
}
