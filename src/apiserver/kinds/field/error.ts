import type { FieldError } from "../kind.ts";

export function required(path: string, detail = ""): FieldError {
  return { type: "Required", path, detail };
}

export function invalid(path: string, value: unknown, detail = ""): FieldError {
  return { type: "Invalid", path, value, detail };
}

/** One error for each thing that is wrong with the value, in the words of a rule from `names.ts`. */
export function problems(path: string, value: string, whys: readonly string[]): readonly FieldError[] {
  return whys.map((why) => invalid(path, value, why));
}

/** What says that a field never changes. */
export const IMMUTABLE = "field is immutable";

/** `supported` in the order that kube-apiserver names them in, which is not always the alphabet's. */
export function notSupported(path: string, value: unknown, supported: readonly string[]): FieldError {
  const quoted = supported.map((text) => JSON.stringify(text));
  return { type: "NotSupported", path, value, detail: `supported values: ${quoted.join(", ")}` };
}

export function duplicate(path: string, value: unknown): FieldError {
  return { type: "Duplicate", path, value, detail: "" };
}

export function forbidden(path: string, detail: string): FieldError {
  return { type: "Forbidden", path, detail };
}

export function notFound(path: string, value: unknown): FieldError {
  return { type: "NotFound", path, value, detail: "" };
}

/** `max` in bytes. The value is never echoed. */
export function tooLong(path: string, max: number): FieldError {
  return { type: "TooLong", path, detail: `may not be more than ${max} bytes` };
}

export function tooMany(path: string, actual: number, max: number): FieldError {
  return { type: "TooMany", path, value: actual, detail: `must have at most ${max} items` };
}
