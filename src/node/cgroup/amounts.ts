import { parseQuantity, type Quantity } from "#kube/quantity";

/** Whole units of a written quantity, rounded up; 0 for none. */
export function wholeOf(quantity: string | undefined): number {
  const read = quantity === undefined ? undefined : parseQuantity(quantity);
  return read ? wholeUnits(read) : 0;
}

export function wholeUnits({ nanos }: Quantity): number {
  return Number((nanos + 999_999_999n) / 1_000_000_000n);
}

/** Thousandths, rounded up, as processors are counted. */
export function milliUnits({ nanos }: Quantity): number {
  return Number((nanos + 999_999n) / 1_000_000n);
}
