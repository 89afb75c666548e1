import { define, type Overload } from "../declare.ts";
import { runtimeFault } from "../fault.ts";
import { CelMap, Duration, isList, Optional, Timestamp, Uint, type Value } from "../value.ts";

/** `optional.of(x)`, `x.orValue(y)` and the rest. */
export function optionals(): readonly Overload[] {
  const value = (from: Optional) => {
    if (from.value === undefined) throw runtimeFault("optional.none() dereference");
    return from.value;
  };
  return [
    define("optional.of(T): optional(T)", (of: Value) => new Optional(of), "flat"),
    define(
      "optional.ofNonZeroValue(T): optional(T)",
      (of: Value) => new Optional(isZero(of) ? undefined : of),
      "flat",
    ),
    define("optional.none(): optional(T)", () => new Optional(undefined), "flat"),
    define("optional.unwrap(list(optional(T))): list(T)", unwrapped),
    define("list(optional(T)).unwrapOpt(): list(T)", unwrapped),
    define("optional(T).hasValue(): bool", (from: Optional) => from.value !== undefined, "flat"),
    define("optional(T).value(): T", value, "flat"),
    define(
      "optional(T).or(optional(T)): optional(T)",
      (from: Optional, other: Optional) => (from.value === undefined ? other : from),
      "flat",
    ),
    define(
      "optional(T).orValue(T): T",
      (from: Optional, other: Value) => from.value ?? (from.value === null ? null : other),
      "flat",
    ),
  ];
}

/** What those that hold something hold. */
function unwrapped(items: readonly Value[]): readonly Value[] {
  return items.flatMap((item) => (item instanceof Optional && item.value !== undefined ? [item.value] : []));
}

function isZero(value: Value): boolean {
  if (value === null || value === false || value === "" || value === 0 || value === 0n) return true;
  if (isList(value)) return value.length === 0;
  if (value instanceof CelMap) return value.size === 0;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Uint8Array) return value.length === 0;
  return (value instanceof Duration || value instanceof Timestamp) && value.nanos === 0n;
}
