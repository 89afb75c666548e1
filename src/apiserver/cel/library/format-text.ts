import { runtimeFault } from "../fault.ts";
import type { Meter } from "../meter.ts";
import { formatDouble } from "../numbers.ts";
import { formatDuration, formatTimestamp } from "../time.ts";
import { CelMap, Duration, isList, Timestamp, TypeValue, typeName, Uint, type Value } from "../value.ts";
import { fixedPoint } from "./fixed-point.ts";
import { type Clause, MISFITS, readFormat } from "./format-parse.ts";
import { quoted } from "./quote.ts";

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const NAMED_NUMBERS = new Set(["NaN", "Infinity", "-Infinity"]);
const MOST_DECIMALS = 1000;

/** `"%s has %d".format([a, b])`: numbers are grouped and scientific ones spelled as English readers expect. @throws {CelFault} */
export function format(text: string, args: readonly Value[], meter: Meter): string {
  let next = 0;
  const said = readFormat(text).map((piece) => {
    if (typeof piece === "string") return piece;
    const arg = args[next];
    if (arg === undefined) throw runtimeFault(`index ${next} out of range`);
    next++;
    if ("problem" in piece) throw runtimeFault(piece.problem);
    const shown = show(piece, arg);
    meter.spend(shown.length / 10);
    return shown;
  });
  return said.join("");
}

function show({ verb, precision }: Clause, arg: Value): string {
  switch (verb) {
    case "s":
      return textOf(arg);
    case "d":
      return String(wholeOf(arg, verb));
    case "f":
      return fixed(numberOf(arg, verb), precision);
    case "e":
      return scientific(numberOf(arg, verb)).padStart(precision);
    case "b":
      return typeof arg === "boolean" ? String(Number(arg)) : wholeOf(arg, verb).toString(2);
    case "o":
      return wholeOf(arg, verb).toString(8);
    default:
      return verb === "X" ? hex(arg).toUpperCase() : hex(arg);
  }
}

function misfit(verb: Clause["verb"], arg: Value): Error {
  return runtimeFault(`error during formatting: ${MISFITS[verb]}, was given ${typeName(arg)}`);
}

/** A value as `%s` shows it. */
export function textOf(value: Value): string {
  if (value === null) return "null";
  if (typeof value === "number") return formatDouble(value);
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map(innerText).join(", ")}]`;
  if (value instanceof CelMap && value.typeName === undefined) return mapText(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof Uint8Array) return decoded(value);
  if (value instanceof TypeValue) return value.name;
  throw misfit("s", value);
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw runtimeFault(
      'error during formatting: could not convert argument "invalid UTF-8 in bytes, cannot convert to string" to string',
    );
  }
}

/** A value within a list or map: as an expression would write it. */
function innerText(value: Value): string {
  if (typeof value === "string") return quoted(value);
  if (value instanceof Uint8Array) return `b${quoted(decoded(value))}`;
  if (value instanceof Timestamp) return `timestamp("${formatTimestamp(value)}")`;
  if (value instanceof Duration) return `duration("${formatDuration(value)}")`;
  if (typeof value === "number")
    return Number.isFinite(value) ? fixedPoint(value, 6) : `"${formatDouble(value)}"`;
  if (isShown(value)) return textOf(value);
  throw runtimeFault(`error during formatting: no formatting function for ${typeName(value)}`);
}

function isShown(value: Value): boolean {
  if (typeof value !== "object" || value === null || isList(value)) return true;
  return (
    value instanceof Uint ||
    value instanceof TypeValue ||
    (value instanceof CelMap && value.typeName === undefined)
  );
}

function mapText(map: CelMap): string {
  const entries = map.keys().map((key) => {
    if (typeof key === "number" || (typeof key === "object" && !(key instanceof Uint)))
      throw runtimeFault(
        `error during formatting: no formatting function for map key of type ${typeName(key)}`,
      );
    return { key: innerText(key), value: innerText(map.get(key) ?? null) };
  });
  entries.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  return `{${entries.map(({ key, value }) => `${key}:${value}`).join(", ")}}`;
}

function wholeOf(arg: Value, verb: Clause["verb"]): bigint {
  if (typeof arg === "bigint") return arg;
  if (arg instanceof Uint) return arg.value;
  throw misfit(verb, arg);
}

function numberOf(arg: Value, verb: Clause["verb"]): number {
  if (typeof arg === "number") return arg;
  if (typeof arg === "string" && NAMED_NUMBERS.has(arg)) return Number(arg);
  throw misfit(verb, arg);
}

function fixed(value: number, precision: number): string {
  if (!Number.isFinite(value)) return odd(value);
  const [whole = "", decimals] = fixedPoint(value, Math.min(precision, MOST_DECIMALS)).split(".");
  const size = whole.replace("-", "");
  const sign = value < 0 ? "-" : "";
  const grouped = `${sign}${size.replace(/\B(?=(\d{3})+$)/g, ",")}`;
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

function scientific(value: number): string {
  if (!Number.isFinite(value)) return odd(value);
  const [digits = "", power = "0"] = value.toExponential(6).split("e");
  const exponent = Number(power);
  const raised = String(Math.abs(exponent))
    .padStart(2, "0")
    .replace(/\d/g, (digit) => SUPERSCRIPTS[Number(digit)] ?? "");
  return `${digits}×10${exponent < 0 ? "⁻" : ""}${raised}`;
}

function odd(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "∞" : "-∞";
}

function hex(arg: Value): string {
  if (typeof arg === "string") return Buffer.from(arg, "utf8").toString("hex");
  if (arg instanceof Uint8Array) return Buffer.from(arg).toString("hex");
  return wholeOf(arg, "x").toString(16);
}
