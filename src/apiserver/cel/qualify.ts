import { runtimeFault } from "./fault.ts";
import { formatDouble, isInt64 } from "./numbers.ts";
import { CelMap, isList, typeName, Uint, type Value } from "./value.ts";

/** What a value holds under a key or at an index; undefined where there is nothing, which is so for all values that hold nothing.
 *  @throws {CelFault} when a list is asked for something that counts no elements */
export function qualified(value: Value, key: Value): Value | undefined {
  if (value instanceof CelMap) return value.get(key);
  if (!isList(value)) return undefined;
  const index = indexOf(key);
  return index < 0n || index >= BigInt(value.length) ? undefined : value[Number(index)];
}

/** A key as messages show it. */
export function keyShown(key: Value): string {
  if (typeof key === "number") return formatDouble(key);
  if (key instanceof Uint) return String(key.value);
  return typeof key === "object" ? (key === null ? "null" : typeName(key)) : String(key);
}

function indexOf(key: Value): bigint {
  if (typeof key === "bigint") return key;
  if (typeof key !== "number" && !(key instanceof Uint))
    throw runtimeFault(`unsupported index type '${typeName(key)}' in list`);
  const whole = key instanceof Uint ? key.value : Number.isInteger(key) ? BigInt(key) : undefined;
  if (whole === undefined || !isInt64(whole))
    throw runtimeFault(`unsupported index value ${keyShown(key)} in list`);
  return whole;
}
