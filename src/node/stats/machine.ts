import { readFileSync, statfsSync } from "node:fs";

/** What the machine uses, counted since its start. */
export interface MachineUsage {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly cpuNanoseconds: number;
  readonly memory: MemoryUsage;
  readonly disk: DiskUsage;
  readonly links: readonly LinkUsage[];
  readonly processes: { readonly max: number; readonly current: number };
  readonly bootedAtMs: number;
}

export interface MemoryUsage {
  readonly availableBytes: number;
  readonly usageBytes: number;
  /** Without what the kernel could drop at once. */
  readonly workingSetBytes: number;
  readonly rssBytes: number;
  readonly totalBytes: number;
}

export interface DiskUsage {
  readonly availableBytes: number;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly inodesFree: number;
  readonly inodes: number;
  readonly inodesUsed: number;
}

export interface LinkUsage {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly txBytes: number;
  readonly txErrors: number;
}

/** `/proc/stat` counts in hundredths of a second, whatever the kernel's own tick. */
const NANOSECONDS_A_TICK = 10_000_000;

export function readMachine({ dataDir, now }: { dataDir: string; now: number }): MachineUsage {
  const read = (name: string) => readFileSync(`/proc/${name}`, "utf8");
  const stat = read("stat");
  return {
    atMs: now,
    cpuNanoseconds: parseBusyTicks(stat) * NANOSECONDS_A_TICK,
    memory: parseMemory(read("meminfo")),
    disk: readDisk(dataDir),
    links: parseLinks(read("net/dev")),
    processes: {
      max: Math.min(Number(read("sys/kernel/pid_max")), Number(read("sys/kernel/threads-max"))),
      current: Number(/\d+\/(\d+)/.exec(read("loadavg"))?.[1] ?? 0),
    },
    bootedAtMs: Number(/^btime (\d+)/m.exec(stat)?.[1] ?? 0) * 1000,
  };
}

/** Ticks in which any processor did something: all but idle and waiting. Guests are counted in `user` already.
 *  @see proc_stat(5) */
export function parseBusyTicks(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    /^cpu +(.*)$/m.exec(stat)?.[1] ?? ""
  )
    .split(" ")
    .map(Number);
  return user + nice + system + irq + softirq + steal;
}

/** @see proc_meminfo(5) */
export function parseMemory(meminfo: string): MemoryUsage {
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(meminfo)?.[1] ?? 0) * 1024;
  const totalBytes = bytes("MemTotal");
  const usageBytes = totalBytes - bytes("MemFree");
  const workingSetBytes = Math.max(0, usageBytes - bytes("Inactive\\(file\\)"));
  return {
    totalBytes,
    usageBytes,
    workingSetBytes,
    availableBytes: totalBytes - workingSetBytes,
    rssBytes: bytes("AnonPages"),
  };
}

/** All but loopback. @see proc_pid_net(5) */
export function parseLinks(dev: string): readonly LinkUsage[] {
  return dev.split("\n").flatMap((line) => {
    const [, name, counts] = /^ *([^ :]+): *(.*)$/.exec(line) ?? [];
    if (name === undefined || counts === undefined || name === "lo") return [];
    const [rxBytes = 0, , rxErrors = 0, , , , , , txBytes = 0, , txErrors = 0] = counts
      .split(/ +/)
      .map(Number);
    return [{ name, rxBytes, rxErrors, txBytes, txErrors }];
  });
}

/** @throws what the kernel says of the path */
export function readDisk(folder: string): DiskUsage {
  const { blocks, bavail, bfree, bsize, files, ffree } = statfsSync(folder);
  return {
    availableBytes: bavail * bsize,
    capacityBytes: blocks * bsize,
    usedBytes: (blocks - bfree) * bsize,
    inodesFree: ffree,
    inodes: files,
    inodesUsed: files - ffree,
  };
}
