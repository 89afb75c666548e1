/** A set of completion indexes as runs, lowest first; neither overlapping nor touching. */
export class Indexes {
  readonly runs: readonly (readonly [first: number, last: number])[];

  constructor(runs: readonly (readonly [number, number])[] = []) {
    this.runs = merged(runs);
  }

  /** Reads `1,3-5,7`, leaving out what is not below `completions`, and what cannot be read. */
  static parse(text: string | undefined, completions: number): Indexes {
    const runs = (text ?? "").split(",").flatMap((part): readonly (readonly [number, number])[] => {
      const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part);
      if (match === null) return [];
      const first = Number(match[1]);
      const last = Math.min(Number(match[2] ?? match[1]), completions - 1);
      return first < completions && first <= last ? [[first, last]] : [];
    });
    return new Indexes(runs);
  }

  static of(indexes: Iterable<number>): Indexes {
    return new Indexes(Array.from(indexes, (index) => [index, index] as const));
  }

  get size(): number {
    return this.runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  }

  has(index: number): boolean {
    return this.runs.some(([first, last]) => first <= index && index <= last);
  }

  with(other: Indexes): Indexes {
    return new Indexes([...this.runs, ...other.runs]);
  }

  /** How many are in both. */
  countShared(other: Indexes): number {
    let shared = 0;
    for (const [first, last] of this.runs)
      for (const [from, to] of other.runs)
        shared += Math.max(0, Math.min(last, to) - Math.max(first, from) + 1);
    return shared;
  }

  /** The lowest `count` indexes below `completions` that are not in the set. */
  lowestMissing(count: number, completions: number): readonly number[] {
    const missing: number[] = [];
    let next = 0;
    for (const [first, last] of [...this.runs, [completions, completions] as const]) {
      for (; next < Math.min(first, completions) && missing.length < count; next++) missing.push(next);
      next = Math.max(next, last + 1);
    }
    return missing;
  }

  /** `1,3-5,7`; two that follow each other are written `3,4`. */
  toString(): string {
    return this.runs
      .map(([first, last]) =>
        first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
      )
      .join(",");
  }
}

function merged(runs: readonly (readonly [number, number])[]): readonly (readonly [number, number])[] {
  const result: [number, number][] = [];
  for (const [first, last] of [...runs].sort((a, b) => a[0] - b[0])) {
    const before = result.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else result.push([first, last]);
  }
  return result;
}
