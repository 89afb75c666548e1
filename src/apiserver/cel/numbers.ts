import { runtimeFault } from "./fault.ts";
import { Uint } from "./value.ts";

export function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

export function isUint64(value: bigint): boolean {
  return BigInt.asUintN(64, value) === value;
}

/** @throws {CelFault} integer overflow */
export function int64(value: bigint): bigint {
  if (!isInt64(value)) throw runtimeFault("integer overflow");
  return value;
}

/** @throws {CelFault} unsigned integer overflow */
export function uint64(value: bigint): Uint {
  if (!isUint64(value)) throw runtimeFault("unsigned integer overflow");
  return new Uint(value);
}

export function divisor(value: bigint, what: "division" | "modulus"): bigint {
  if (value === 0n) throw runtimeFault(what === "division" ? "division by zero" : "modulus by zero");
  return value;
}

/** A double as an int, towards zero. @throws {CelFault} integer overflow */
export function truncated(value: number): bigint {
  if (!(value > -(2 ** 63) && value < 2 ** 63)) throw runtimeFault("integer overflow");
  return BigInt(Math.trunc(value));
}

/** How two numbers of any type lie: negative, zero or positive; NaN when they cannot be compared. */
export function compareNumbers(a: bigint | number | Uint, b: bigint | number | Uint): number {
  const left = a instanceof Uint ? a.value : a;
  const right = b instanceof Uint ? b.value : b;
  if (Number.isNaN(left) || Number.isNaN(right)) return Number.NaN;
  if (left < right) return -1;
  return left > right ? 1 : 0;
}

/** A double as Go prints it in its shortest form: `1.5`, `1e+06`. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (Object.is(value, -0)) return "-0";
  const [digits = "0", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(value);
  const size = String(Math.abs(exponent)).padStart(2, "0");
  return `${digits}e${exponent < 0 ? "-" : "+"}${size}`;
}
