import { listMerge } from "./json-value.ts";
import type { Meter } from "./meter.ts";
import { compareNumbers } from "./numbers.ts";
import {
  CelMap,
  Duration,
  isList,
  keyText,
  Opaque,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from "./value.ts";

const PER_STEP = 0.1;

/** Whether two values are equal; values of different types are not, except numbers, which are by what they count. */
export function equal(a: Value, b: Value, meter: Meter): boolean {
  meter.spend(PER_STEP);
  if (isNumber(a)) return isNumber(b) && compareNumbers(a, b) === 0;
  if (a === b) return true;
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) return false;
  if (isList(a)) return isList(b) && equalLists(a, b, meter);
  if (a instanceof CelMap) return b instanceof CelMap && equalMaps(a, b, meter);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  return equalOthers(a, b, meter);
}

function equalOthers(a: object, b: object, meter: Meter): boolean {
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Opaque) return b instanceof Opaque && a.typeName === b.typeName && a.equals(b);
  if (!(a instanceof Optional && b instanceof Optional)) return false;
  if (a.value === undefined || b.value === undefined) return a.value === b.value;
  return equal(a.value, b.value, meter);
}

function isNumber(value: Value): value is bigint | number | Uint {
  return typeof value === "bigint" || typeof value === "number" || value instanceof Uint;
}

function equalMaps(a: CelMap, b: CelMap, meter: Meter): boolean {
  if (a.size !== b.size || a.typeName !== b.typeName) return false;
  return a.keys().every((key) => {
    const [left, right] = [a.get(key), b.get(key)];
    return left !== undefined && right !== undefined && equal(left, right, meter);
  });
}

function equalLists(a: readonly Value[], b: readonly Value[], meter: Meter): boolean {
  if (a.length !== b.length) return false;
  const merge = listMerge(a) ?? listMerge(b);
  if (merge === undefined) return a.every((item, i) => equal(item, b[i] ?? null, meter));
  if (merge.as === "set") return a.every((item) => contains(b, item, meter));
  const byKeys = new Map(b.map((item) => [identity(item, merge.keys), item]));
  return a.every((item) => {
    const other = byKeys.get(identity(item, merge.keys));
    return other !== undefined && equal(item, other, meter);
  });
}

/** Whether an equal value is in the list. */
export function contains(list: readonly Value[], wanted: Value, meter: Meter): boolean {
  return list.some((item) => equal(item, wanted, meter));
}

/** What tells an item of a list apart by its key fields. */
export function identity(item: Value, keys: readonly string[]): string {
  if (!(item instanceof CelMap)) return "";
  return JSON.stringify(keys.map((key) => keyText(item.get(key) ?? null) ?? null));
}
