/** Any JSON value. Text becomes one at the boundary; everything behind reads it by asking. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [field: string]: Json;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object at `field`, when there is one. */
export function objectAt(value: unknown, field: string): JsonObject | undefined {
  const inner = isObject(value) ? own(value, field) : undefined;
  return isObject(inner) ? inner : undefined;
}

export function listAt(value: unknown, field: string): Json[] | undefined {
  const inner = isObject(value) ? own(value, field) : undefined;
  return Array.isArray(inner) ? inner : undefined;
}

export function textAt(value: unknown, field: string): string | undefined {
  const inner = isObject(value) ? own(value, field) : undefined;
  return typeof inner === "string" ? inner : undefined;
}

export function numberAt(value: unknown, field: string): number | undefined {
  const inner = isObject(value) ? own(value, field) : undefined;
  return typeof inner === "number" ? inner : undefined;
}

/** A field that the object itself has: never one of Object.prototype's. */
export function own(value: JsonObject, field: string): Json | undefined {
  return Object.hasOwn(value, field) ? value[field] : undefined;
}

/** Sets a field whatever its name; plain assignment to `__proto__` would not. */
export function setOwn(target: JsonObject, field: string, value: Json): void {
  if (field === "__proto__")
    Object.defineProperty(target, field, { value, enumerable: true, configurable: true, writable: true });
  else target[field] = value;
}

/** Whether two JSON values say the same; the order of an object's fields does not count. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const fields = saidFields(a);
  if (fields.length !== saidFields(b).length) return false;
  return fields.every((field) => Object.hasOwn(b, field) && sameJson(a[field], b[field]));
}

/** A field that holds `undefined` is not there: JSON cannot say it. */
function saidFields(value: JsonObject): string[] {
  return Object.keys(value).filter((field) => value[field] !== undefined);
}

/** A copy that shares nothing with the original. */
export function copyJson<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyJson) as T;
  if (!isObject(value)) return value;
  const out: JsonObject = {};
  for (const [field, inner] of Object.entries(value)) setOwn(out, field, copyJson(inner));
  return out as T;
}

/** JSON text whose objects have their fields in order: equal values give equal text. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value).sort();
  return `{${fields.map((field) => `${JSON.stringify(field)}:${canonicalJson(own(value, field) ?? null)}`).join(",")}}`;
}
