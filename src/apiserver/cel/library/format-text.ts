import { runtimeFault } from "../fault.ts";
import type { Meter } from "../meter.ts";
import { formatDouble } from "../numbers.ts";
import { formatDuration, formatTimestamp } from "../time.ts";
import { CelMap, Duration, isList, Timestamp, TypeValue, Uint, type Value } from "../value.ts";

const CLAUSE = /%(?:(%)|(?:\.(\d{1,3}))?([sdfeboxX])|([\s\S]?))/g;

/** `"%s has %d".format([a, b])`. @throws {CelFault} */
export function format(text: string, args: readonly Value[], meter: Meter): string {
  let next = 0;
  return text.replace(CLAUSE, (_clause, percent, precision, verb, wrong) => {
    if (percent !== undefined) return "%";
    if (verb === undefined)
      throw runtimeFault(`could not parse formatting clause: unrecognized formatting clause "${wrong}"`);
    const arg = args[next];
    if (arg === undefined) throw runtimeFault(`index ${next} out of range`);
    next++;
    const said = clause(verb, arg, precision === undefined ? 6 : Number(precision));
    meter.spend(said.length / 10);
    return said;
  });
}

function clause(verb: string, arg: Value, precision: number): string {
  switch (verb) {
    case "s":
      return textOf(arg);
    case "d":
      return decimal(arg);
    case "f":
      return finite(arg) ?? numberOf(arg, "fixed-point").toFixed(Math.min(precision, 100));
    case "e":
      return finite(arg) ?? scientific(numberOf(arg, "scientific notation"), precision);
    case "b":
      return typeof arg === "boolean" ? String(Number(arg)) : wholeOf(arg, "binary").toString(2);
    case "o":
      return wholeOf(arg, "octal").toString(8);
    default:
      return verb === "X" ? hex(arg).toUpperCase() : hex(arg);
  }
}

/** A value as `%s` shows it. */
export function textOf(value: Value): string {
  if (value === null) return "null";
  if (typeof value === "number") return formatDouble(value);
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map(textOf).join(", ")}]`;
  if (value instanceof CelMap) return mapText(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (value instanceof TypeValue) return value.name;
  throw runtimeFault(
    "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
  );
}

function mapText(map: CelMap): string {
  const entries = map.keys().map((key) => `${textOf(key)}: ${textOf(map.get(key) ?? null)}`);
  return `{${entries.sort().join(", ")}}`;
}

function decimal(arg: Value): string {
  if (typeof arg === "number") return formatDouble(arg);
  return wholeOf(arg, "decimal").toString();
}

function wholeOf(arg: Value, what: string): bigint {
  if (typeof arg === "bigint") return arg;
  if (arg instanceof Uint) return arg.value;
  throw runtimeFault(`${what} clause can only be used on integers`);
}

function numberOf(arg: Value, what: string): number {
  if (typeof arg === "number") return arg;
  if (typeof arg === "bigint") return Number(arg);
  if (arg instanceof Uint) return Number(arg.value);
  throw runtimeFault(`${what} clause can only be used on doubles`);
}

function finite(arg: Value): string | undefined {
  if (typeof arg !== "number" || Number.isFinite(arg)) return undefined;
  if (Number.isNaN(arg)) return "NaN";
  return arg > 0 ? "Infinity" : "-Infinity";
}

function scientific(value: number, precision: number): string {
  return value.toExponential(Math.min(precision, 100)).replace(/e([+-])(\d)$/, "e$10$2");
}

function hex(arg: Value): string {
  if (typeof arg === "string") return Buffer.from(arg, "utf8").toString("hex");
  if (arg instanceof Uint8Array) return Buffer.from(arg).toString("hex");
  return wholeOf(arg, "hex").toString(16);
}
