import type { Found } from "./found.ts";
import type { Schema } from "./schema.ts";

/** Checks a number by the bounds and the format of its schema. */
export function checkNumber(
  value: number,
  {
    schema,
    types,
    path,
    found,
  }: {
    readonly schema: Schema;
    readonly types: readonly string[];
    readonly path: string;
    readonly found: Found;
  },
): void {
  const invalid = (detail: string) =>
    found.add({
      type: "Invalid",
      name: path,
      value,
      detail: `${path} in body ${detail}`,
      text: `${path} ${detail}`,
    });
  const type = types.length === 1 ? types[0] : undefined;
  if (!isInRange(value, type, schema.format)) {
    const format = ["int32", "int64"].includes(schema.format ?? "")
      ? `with format ${schema.format}`
      : "(default format)";
    const detail = `Checked value must be of type ${type} ${format} in ${path}`;
    found.add({ type: "Invalid", name: undefined, value: "", detail, text: detail });
  }
  const { multipleOf, maximum, minimum, exclusiveMaximum, exclusiveMinimum } = schema;
  if (multipleOf !== undefined && !isMultiple(value, multipleOf))
    invalid(`should be a multiple of ${multipleOf}`);
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
    invalid(`should be less than ${exclusiveMaximum ? "" : "or equal to "}${maximum}`);
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
    invalid(`should be greater than ${exclusiveMinimum ? "" : "or equal to "}${minimum}`);
  found.matches += 2;
}

function isMultiple(value: number, factor: number): boolean {
  if (factor <= 0) return false;
  const times = factor < 1 ? (1 / factor) * value : value / factor;
  return Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times));
}

function isInRange(value: number, type: string | undefined, format: string | undefined): boolean {
  if (type === "integer")
    return format === "int32"
      ? value >= -(2 ** 31) && value < 2 ** 31
      : value >= -(2 ** 63) && value < 2 ** 63;
  return type !== "number" || format !== "float" || Number.isFinite(Math.fround(value));
}
