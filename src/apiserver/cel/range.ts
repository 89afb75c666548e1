/** A cost or size, from the least to the most it may be. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** More than anybody counts: 2^64 - 1. */
export const UNBOUNDED = 2 ** 64;

export const UNKNOWN: Range = { min: 0, max: UNBOUNDED };

export function exactly(value: number): Range {
  return { min: value, max: value };
}

export function plus(...ranges: readonly Range[]): Range {
  return {
    min: capped(ranges.reduce((sum, { min }) => sum + min, 0)),
    max: capped(ranges.reduce((sum, { max }) => sum + max, 0)),
  };
}

export function times(a: Range, b: Range): Range {
  return { min: capped(a.min * b.min), max: capped(a.max * b.max) };
}

/** So much for each unit, rounded up. */
export function scaled({ min, max }: Range, factor: number): Range {
  return { min: capped(Math.ceil(min * factor)), max: capped(Math.ceil(max * factor)) };
}

/** What holds both. */
export function either(a: Range, b: Range): Range {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

function capped(value: number): number {
  return Math.min(value, UNBOUNDED);
}
