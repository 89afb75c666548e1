import type { FieldError } from "../kind.ts";
import { invalid } from "./error.ts";

/** A path inside something: not absolute, and never out of it. */
export function validateInnerPath(path: string, text: string): readonly FieldError[] {
  const absolute = text.startsWith("/") ? [invalid(path, text, "must be a relative path")] : [];
  return [...absolute, ...validateNoBacksteps(path, text)];
}

export function validateNoBacksteps(path: string, text: string): readonly FieldError[] {
  return text.split("/").includes("..") ? [invalid(path, text, "must not contain '..'")] : [];
}

/** A path inside a volume, where names that start with two dots belong to the kubelet. */
export function validateFilePath(path: string, text: string): readonly FieldError[] {
  const errors = [...validateInnerPath(path, text)];
  if (text.startsWith("..") && text !== ".." && !text.startsWith("../"))
    errors.push(invalid(path, text, "must not start with '..'"));
  return errors;
}
