import { isDeepStrictEqual } from "node:util";
import type { FieldError } from "../kind.ts";
import { IMMUTABLE, invalid } from "./error.ts";

/** Equal as JSON, whatever the order of keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b);
}

/** Refuses that the field at `path` becomes something else than it was. */
export function immutableField(path: string, now: unknown, before: unknown): readonly FieldError[] {
  return sameJson(now, before) ? [] : [invalid(path, now, IMMUTABLE)];
}
