import { copyJson, isObject, type Json, type JsonObject, setOwn } from "../json.ts";
import { defaultOf, itemsOf, propertyOf, type Schema, valuesOf } from "./schema.ts";

/** Removes in place the nulls that may not be there and for which there is no default; then fills in the schema's defaults. Running it again
 *  changes nothing. */
export function fillDefaults(value: Json, schema: Schema): void {
  dropNulls(value, schema);
  fill(value, schema);
}

/** A null that stands for a value is no value: it goes, unless the schema allows it or a default will replace it. */
export function dropNulls(value: Json, schema: Schema | undefined): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const item of value) dropNulls(item, items);
  } else if (isObject(value))
    for (const [field, inner] of Object.entries(value)) {
      const found = propertyOf(schema, field);
      const isWrong = inner === null && found !== undefined && found.nullable !== true;
      if (isWrong && defaultOf(found) === undefined) delete value[field];
      else dropNulls(inner, found);
    }
}

function fill(value: Json, schema: Schema | undefined): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) fillList(value, itemsOf(schema));
  else if (isObject(value)) fillFields(value, schema);
}

function fillList(list: Json[], items: Schema | undefined): void {
  for (const [i, item] of list.entries()) {
    if (isReplaced(item, items)) list[i] = copyJson(defaultOf(items) ?? null);
    fill(list[i] ?? null, items);
  }
}

function fillFields(value: JsonObject, schema: Schema): void {
  for (const [field, named] of defaultedFields(schema))
    if (!Object.hasOwn(value, field) || isReplaced(value[field] ?? null, named))
      setOwn(value, field, copyJson(defaultOf(named) ?? null));
  const values = valuesOf(schema);
  for (const field of Object.keys(value)) {
    const inner = value[field] ?? null;
    if (values !== undefined && isReplaced(inner, values))
      setOwn(value, field, copyJson(defaultOf(values) ?? null));
    fill(value[field] ?? null, propertyOf(schema, field));
  }
}

function isReplaced(value: Json, schema: Schema | undefined): boolean {
  return (
    value === null && schema !== undefined && schema.nullable !== true && defaultOf(schema) !== undefined
  );
}

const fieldsWithDefault = new WeakMap<Schema, readonly (readonly [string, Schema])[]>();

/** The properties that have a default, found once for each schema. */
function defaultedFields(schema: Schema): readonly (readonly [string, Schema])[] {
  const known = fieldsWithDefault.get(schema);
  if (known !== undefined) return known;
  const found = Object.entries(schema.properties ?? {}).filter(([, named]) => defaultOf(named) !== undefined);
  fieldsWithDefault.set(schema, found);
  return found;
}
