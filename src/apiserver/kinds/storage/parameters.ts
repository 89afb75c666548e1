import { invalid, tooLong, tooMany } from "../field/error.ts";
import type { FieldError } from "../kind.ts";

const MAX_COUNT = 512;
/** All keys and values together. */
const MAX_BYTES = 256 * 1024;

/** What a class tells its driver: not too much, and nothing without a name. */
export function validateParameters(
  path: string,
  parameters: Readonly<Record<string, string>> | undefined,
): readonly FieldError[] {
  const entries = Object.entries(parameters ?? {});
  if (entries.length > MAX_COUNT) return [tooMany(path, entries.length, MAX_COUNT)];
  const bytes = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return [
    ...entries.filter(([key]) => key === "").map(([key]) => invalid(path, key, "field can not be empty.")),
    ...(bytes > MAX_BYTES ? [tooLong(path, MAX_BYTES)] : []),
  ];
}
