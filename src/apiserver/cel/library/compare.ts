import { NO_OVERLOAD, runtimeFault } from "../fault.ts";
import { compareNumbers } from "../numbers.ts";
import { Duration, isPlain, Timestamp, Uint, type Value } from "../value.ts";

/** How two values of one comparable type lie: negative, zero, positive, or NaN. @throws {CelFault} no such overload */
export function compareValues(a: Value, b: Value): number {
  if (isNumber(a) && isNumber(b)) {
    const order = compareNumbers(a, b);
    if (Number.isNaN(order)) throw runtimeFault("NaN values cannot be ordered");
    return order;
  }
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  const isMoment = a instanceof Timestamp && b instanceof Timestamp;
  if (isMoment || (a instanceof Duration && b instanceof Duration)) return compareNumbers(a.nanos, b.nanos);
  throw runtimeFault(NO_OVERLOAD);
}

function isNumber(value: Value): value is bigint | number | Uint {
  return typeof value === "bigint" || typeof value === "number" || value instanceof Uint;
}

/** By code points; UTF-16 units would put characters beyond U+FFFF before some within. */
function compareText(a: string, b: string): number {
  if (!isPlain(a) || !isPlain(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
