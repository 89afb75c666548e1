const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
const SHARES_PER_CPU = 1024;
const MIN_QUOTA_MICROS = 1000;

/** Over how long a share of a processor is counted. */
export const QUOTA_PERIOD_MICROS = 100_000;

/** A request of thousandths of a processor as cgroup v1's `cpu.shares`. @see kubelet cm/helpers_linux.go */
export function cpuShares(milli: number): number {
  return Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((milli * SHARES_PER_CPU) / 1000)));
}

/** A limit of thousandths of a processor as microseconds of each period; undefined without a limit. */
export function cpuQuotaMicros(milli: number): number | undefined {
  if (milli === 0) return undefined;
  return Math.max(MIN_QUOTA_MICROS, Math.floor((milli * QUOTA_PERIOD_MICROS) / 1000));
}

/** `cpu.shares` as cgroup v2's `cpu.weight`: 2 is 1, 262144 is 10000, straight between. */
export function cpuWeight(shares: number): number {
  if (shares >= MAX_SHARES) return 10_000;
  return 1 + Math.floor(((shares - MIN_SHARES) * 9999) / (MAX_SHARES - MIN_SHARES));
}
