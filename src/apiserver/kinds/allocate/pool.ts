/** The numbers from `first` to `last`; the first `reserved` of them are handed out only when asked for by name, or when all others are taken. */
export interface Range {
  readonly first: number;
  readonly last: number;
  readonly reserved: number;
}

/** A whole number from 0 up to, not including, `below`. */
export type Random = (below: number) => number;

/** A free number: from a random place in the upper part of the range on, then in the reserved part; undefined when all are taken. */
export function pickFree(range: Range, isTaken: (n: number) => boolean, random: Random): number | undefined {
  const border = Math.min(range.first + range.reserved, range.last + 1);
  return (
    pickBetween(border, range.last, isTaken, random) ?? pickBetween(range.first, border - 1, isTaken, random)
  );
}

function pickBetween(
  first: number,
  last: number,
  isTaken: (n: number) => boolean,
  random: Random,
): number | undefined {
  const size = last - first + 1;
  if (size <= 0) return undefined;
  const start = random(size);
  for (let step = 0; step < size; step++) {
    const n = first + ((start + step) % size);
    if (!isTaken(n)) return n;
  }
  return undefined;
}

/** How many addresses of a service network are kept for those who choose their own. @see KEP 3070 */
export function reservedIps(size: number): number {
  return size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 16)), 256);
}

/** The same for node ports. @see KEP 3668 */
export function reservedPorts(size: number): number {
  return size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 32)), 128);
}
