import type { CgroupLimits } from "./limits.ts";
import { cpuWeight, QUOTA_PERIOD_MICROS } from "./numbers.ts";

/** One value to write: of which controller, into which file of the cgroup's folder. */
export interface CgroupFile {
  readonly controller: "cpu" | "memory" | "pids";
  readonly file: string;
  readonly value: string;
}

/** The files that say these limits, in the order they are written. @see cgroup-v1 and cgroup-v2 in the kernel's admin guide */
export function cgroupFiles(version: 1 | 2, limits: CgroupLimits): readonly CgroupFile[] {
  return version === 1 ? filesOfOld(limits) : filesOfNew(limits);
}

function filesOfOld({ cpuShares, cpuQuotaMicros, memoryBytes, pids }: CgroupLimits): readonly CgroupFile[] {
  return [
    ...one("cpu", "cpu.shares", cpuShares),
    ...(cpuQuotaMicros === undefined ? [] : one("cpu", "cpu.cfs_period_us", QUOTA_PERIOD_MICROS)),
    ...one("cpu", "cpu.cfs_quota_us", unlimited(cpuQuotaMicros, -1)),
    ...one("memory", "memory.limit_in_bytes", unlimited(memoryBytes, -1)),
    ...one("pids", "pids.max", pids),
  ];
}

function filesOfNew({ cpuShares, cpuQuotaMicros, memoryBytes, pids }: CgroupLimits): readonly CgroupFile[] {
  const quota = cpuQuotaMicros === undefined ? undefined : `${cpuQuotaMicros} ${QUOTA_PERIOD_MICROS}`;
  return [
    ...one("cpu", "cpu.weight", cpuShares === undefined ? undefined : cpuWeight(cpuShares)),
    ...one("cpu", "cpu.max", quota),
    ...one("memory", "memory.max", memoryBytes),
    ...one("pids", "pids.max", pids),
  ];
}

function unlimited(value: number | "max" | undefined, no: number): number | undefined {
  return value === "max" ? no : value;
}

function one(
  controller: CgroupFile["controller"],
  file: string,
  value: number | string | undefined,
): readonly CgroupFile[] {
  return value === undefined ? [] : [{ controller, file, value: String(value) }];
}
