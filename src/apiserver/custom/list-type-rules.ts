import { forbidden, invalid, notSupported, required } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { declared, defaultOf, itemsOf, type Schema } from "./schema.ts";

const MAP_KEYS = "x-kubernetes-list-map-keys";

/** What `x-kubernetes-list-type` and its keys may not say. */
export function listTypeErrors(schema: Schema, path: string): FieldError[] {
  const { type = "" } = schema;
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema[MAP_KEYS] ?? [];
  const errors: FieldError[] = [];
  if (listType !== undefined && type !== "array") {
    const detail = "must be array if x-kubernetes-list-type is specified";
    errors.push(type === "" ? required(`${path}.type`, detail) : invalid(`${path}.type`, type, detail));
  } else if (listType === "set") errors.push(...setErrors(schema, path));
  if (listType !== undefined && !["atomic", "map", "set"].includes(listType))
    errors.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ["atomic", "map", "set"]));
  if (keys.length > 0 && listType !== "map") {
    const detail = "must be map if x-kubernetes-list-map-keys is non-empty";
    const at = `${path}.x-kubernetes-list-type`;
    errors.push(listType === undefined ? required(at, detail) : invalid(at, listType, detail));
  }
  if (listType === "map") errors.push(...mapErrors(schema, path));
  if (listType === "map" || listType === "set") errors.push(...nullErrors(schema, path, listType));
  return errors;
}

/** Elements of a set are told apart as a whole. */
function setErrors(schema: Schema, path: string): FieldError[] {
  const items = itemsOf(schema);
  const detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
  const listType = items?.["x-kubernetes-list-type"];
  if (items?.type === "array" && listType !== undefined && listType !== "atomic")
    return [invalid(`${path}.items.x-kubernetes-list-type`, listType, detail)];
  if (items?.type === "object" && items["x-kubernetes-map-type"] !== "atomic")
    return [invalid(`${path}.items.x-kubernetes-map-type`, items["x-kubernetes-map-type"], detail)];
  return [];
}

function mapErrors(schema: Schema, path: string): FieldError[] {
  const keys = schema[MAP_KEYS] ?? [];
  const items = itemsOf(schema);
  const errors: FieldError[] = [];
  if (keys.length === 0)
    errors.push(required(`${path}.${MAP_KEYS}`, "must not be empty if x-kubernetes-list-type is map"));
  if (items === undefined) {
    errors.push(required(`${path}.items`, "must have a schema if x-kubernetes-list-type is map"));
    return errors;
  }
  if (items.type !== "object") {
    const detail = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(invalid(`${path}.items.type`, items.type ?? "", detail));
    return errors;
  }
  for (const [i, key] of keys.entries()) {
    const named = declared(items, key);
    if (named === undefined)
      errors.push(invalid(`${path}.${MAP_KEYS}`, keys, "entries must all be names of item properties"));
    else if (named.type === "array" || named.type === "object")
      errors.push(
        invalid(
          `${path}.items.properties[${key}].type`,
          items.type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    if (keys.indexOf(key) < i)
      errors.push(invalid(`${path}.${MAP_KEYS}`, keys, "must not contain duplicate entries"));
  }
  return errors;
}

function nullErrors(schema: Schema, path: string, listType: string): FieldError[] {
  const items = itemsOf(schema);
  if (items === undefined) return [];
  const errors: FieldError[] = [];
  if (items.nullable)
    errors.push(
      forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`),
    );
  if (listType !== "map") return errors;
  for (const key of schema[MAP_KEYS] ?? []) {
    const named = declared(items, key);
    const at = `${path}.items.properties[${key}]`;
    if (named !== undefined && defaultOf(named) === undefined && !(items.required ?? []).includes(key))
      errors.push(
        required(
          `${at}.default`,
          "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
      );
    if (named?.nullable)
      errors.push(
        forbidden(
          `${at}.nullable`,
          "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
        ),
      );
  }
  return errors;
}
