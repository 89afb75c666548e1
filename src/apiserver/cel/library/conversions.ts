import { define, type Overload } from "../declare.ts";
import { runtimeFault } from "../fault.ts";
import { formatDouble, int64, isInt64, isUint64, truncated, uint64 } from "../numbers.ts";
import { formatDuration, formatTimestamp, parseDuration, parseTimestamp, timestamp } from "../time.ts";
import { type Duration, type Timestamp, type Uint, Uint as UintValue, type Value } from "../value.ts";

const NANOS = 1_000_000_000n;
const TRUE = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE = new Set(["0", "f", "F", "false", "FALSE", "False"]);

/** `int(x)`, `string(x)` and the others. */
export function conversions(): readonly Overload[] {
  return [...toNumbers(), ...toText(), ...toOthers()];
}

function toNumbers(): readonly Overload[] {
  const seconds = ({ nanos }: Timestamp) => (nanos - (((nanos % NANOS) + NANOS) % NANOS)) / NANOS;
  return [
    define("int(int): int", (value: bigint) => value, "flat"),
    define("int(uint): int", ({ value }: Uint) => int64(value), "flat"),
    define("int(double): int", truncated, "flat"),
    define("int(string): int", intOf),
    define("int(timestamp): int", seconds, "flat"),
    define("int(duration): int", ({ nanos }: Duration) => nanos, "flat"),
    define("uint(uint): uint", (value: Uint) => value, "flat"),
    define("uint(int): uint", (value: bigint) => uint64(value), "flat"),
    define("uint(double): uint", uintOfDouble, "flat"),
    define("uint(string): uint", uintOf),
    define("double(double): double", (value: number) => value, "flat"),
    define("double(int): double", (value: bigint) => Number(value), "flat"),
    define("double(uint): double", ({ value }: Uint) => Number(value), "flat"),
    define("double(string): double", doubleOf),
  ];
}

function intOf(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text) || !isInt64(BigInt(text.replace("+", ""))))
    throw runtimeFault("type conversion error from 'string' to 'int'");
  return BigInt(text.replace("+", ""));
}

function uintOf(text: string): Value {
  if (!/^\d+$/.test(text) || !isUint64(BigInt(text)))
    throw runtimeFault("type conversion error from 'string' to 'uint'");
  return new UintValue(BigInt(text));
}

function uintOfDouble(value: number): Value {
  if (!(value >= 0 && value < 2 ** 64)) throw runtimeFault("unsigned integer overflow");
  return uint64(BigInt(Math.trunc(value)));
}

function doubleOf(text: string): number {
  const named = /^([+-]?)(inf|infinity|nan)$/i.exec(text);
  if (named) return /nan/i.test(text) ? Number.NaN : named[1] === "-" ? -Infinity : Infinity;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text))
    throw runtimeFault("type conversion error from 'string' to 'double'");
  return Number(text);
}

function toText(): readonly Overload[] {
  return [
    define("string(string): string", (value: string) => value, "flat"),
    define("string(bool): string", (value: boolean) => String(value), "flat"),
    define("string(int): string", (value: bigint) => String(value), "flat"),
    define("string(uint): string", ({ value }: Uint) => String(value), "flat"),
    define("string(double): string", formatDouble, "flat"),
    define("string(bytes): string", textOf),
    define("string(timestamp): string", formatTimestamp, "flat"),
    define("string(duration): string", formatDuration, "flat"),
  ];
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw runtimeFault("invalid UTF-8 in bytes, cannot convert to string");
  }
}

function toOthers(): readonly Overload[] {
  return [
    define("bytes(bytes): bytes", (value: Uint8Array) => value, "flat"),
    define("bytes(string): bytes", (value: string) => new Uint8Array(Buffer.from(value, "utf8"))),
    define("bool(bool): bool", (value: boolean) => value, "flat"),
    define("bool(string): bool", boolOf),
    define("timestamp(timestamp): timestamp", (value: Timestamp) => value, "flat"),
    define("timestamp(string): timestamp", parseTimestamp),
    define("timestamp(int): timestamp", (seconds: bigint) => timestamp(seconds * NANOS), "flat"),
    define("duration(duration): duration", (value: Duration) => value, "flat"),
    define("duration(string): duration", parseDuration),
    define("duration(int): duration", durationOf, "flat"),
  ];
}

/** Declared but not given by cel-go. */
function durationOf(): Value {
  throw runtimeFault("type conversion error from 'int' to 'google.protobuf.Duration'");
}

function boolOf(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw runtimeFault("type conversion error from 'string' to 'bool'");
}
