/** A handful of milliseconds, as the benches print them. */
export interface Sample {
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

export function sampleOf(values: readonly number[]): Sample {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), count: values.length };
}

export function formatSample({ p50, p99 }: Sample): string {
  return `p50 ${formatMs(p50)}  p99 ${formatMs(p99)}`;
}

export function formatMs(ms: number): string {
  return `${ms.toFixed(ms < 100 ? 1 : 0)} ms`.padStart(8);
}

/** How many times as long as ours the peer takes. */
export function ratio(peer: Sample, ours: Sample): string {
  return `${(peer.p50 / ours.p50).toFixed(1)}x`;
}
