import { parseQuantity } from "#kube/quantity";
import { define, type Overload } from "../declare.ts";
import { runtimeFault } from "../fault.ts";
import { compareNumbers, isInt64 } from "../numbers.ts";
import { Opaque, type Value } from "../value.ts";

const NANOS = 1_000_000_000n;

/** An amount such as `500m`, in billionths. */
export class QuantityValue extends Opaque {
  readonly typeName = "kubernetes.Quantity";
  readonly nanos: bigint;
  /** Whether it was written as a fraction of a power of two. */
  readonly isFraction: boolean;

  constructor(nanos: bigint, isFraction = false) {
    super();
    this.nanos = nanos;
    this.isFraction = isFraction;
  }

  equals(other: Opaque): boolean {
    return other instanceof QuantityValue && other.nanos === this.nanos;
  }
}

export function quantities(): readonly Overload[] {
  type Q = QuantityValue;
  const of = "kubernetes.Quantity";
  return [
    define(`quantity(string): ${of}`, quantityOf),
    define("isQuantity(string): bool", (text: string) => parseQuantity(text) !== undefined),
    define(`sign(${of}): int`, ({ nanos }: Q) => BigInt(compareNumbers(nanos, 0n)), "flat"),
    define(`${of}.isInteger(): bool`, (quantity: Q) => isInteger(quantity), "flat"),
    define(`${of}.asInteger(): int`, asInteger, "flat"),
    define(`${of}.asApproximateFloat(): double`, ({ nanos }: Q) => Number(nanos) / Number(NANOS), "flat"),
    define(`${of}.isGreaterThan(${of}): bool`, (a: Q, b: Q) => a.nanos > b.nanos, "flat"),
    define(`${of}.isLessThan(${of}): bool`, (a: Q, b: Q) => a.nanos < b.nanos, "flat"),
    define(`${of}.compareTo(${of}): int`, (a: Q, b: Q) => BigInt(compareNumbers(a.nanos, b.nanos)), "flat"),
    define(`${of}.add(${of}): ${of}`, (a: Q, b: Q) => new QuantityValue(a.nanos + b.nanos), "flat"),
    define(`${of}.add(int): ${of}`, (a: Q, b: bigint) => new QuantityValue(a.nanos + b * NANOS), "flat"),
    define(`${of}.sub(${of}): ${of}`, (a: Q, b: Q) => new QuantityValue(a.nanos - b.nanos), "flat"),
    define(`${of}.sub(int): ${of}`, (a: Q, b: bigint) => new QuantityValue(a.nanos - b * NANOS), "flat"),
  ];
}

function quantityOf(text: string): Value {
  const quantity = parseQuantity(text);
  if (quantity === undefined)
    throw runtimeFault(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  return new QuantityValue(quantity.nanos, /\.\d*[1-9]\d*[KMGTPE]i$/.test(text));
}

/** Whether it is a whole number that was written without a fraction of a power of two: `1.25Ki` is none. */
function isInteger({ nanos, isFraction }: QuantityValue): boolean {
  return !isFraction && nanos % NANOS === 0n && isInt64(nanos / NANOS);
}

function asInteger(quantity: QuantityValue): Value {
  const { nanos } = quantity;
  if (!isInteger(quantity)) throw runtimeFault("cannot convert value to integer");
  return nanos / NANOS;
}
