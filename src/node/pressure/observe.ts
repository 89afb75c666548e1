import { statSync } from "node:fs";
import type { DiskUsage, MachineUsage } from "../stats/machine.ts";
import type { Signal } from "./signals.ts";
import type { Observation, Observations } from "./watch.ts";

export interface Observed {
  readonly machine: MachineUsage;
  /** Where images are, if that is another disk than the node's. */
  readonly imageDisk: DiskUsage | undefined;
  /** What pods may use of the memory, and what they do. */
  readonly pods: { readonly allocatableBytes: number; readonly workingSetBytes: number };
}

/** What thresholds are compared with. @see kubelet eviction/helpers.go makeSignalObservations */
export function observationsOf({ machine, imageDisk, pods }: Observed): Observations {
  const { memory, disk, processes } = machine;
  const images = imageDisk ?? disk;
  const rows: readonly (readonly [Signal, Observation])[] = [
    ["memory.available", { available: memory.availableBytes, capacity: memory.totalBytes }],
    [
      "allocatableMemory.available",
      {
        available: Math.max(0, pods.allocatableBytes - pods.workingSetBytes),
        capacity: pods.allocatableBytes,
      },
    ],
    ["nodefs.available", bytesOf(disk)],
    ["nodefs.inodesFree", inodesOf(disk)],
    // What containers write is with the images.
    ...(["imagefs.available", "containerfs.available"] as const).map(
      (signal) => [signal, bytesOf(images)] as const,
    ),
    ...(["imagefs.inodesFree", "containerfs.inodesFree"] as const).map(
      (signal) => [signal, inodesOf(images)] as const,
    ),
    ["pid.available", { available: processes.max - processes.current, capacity: processes.max }],
  ];
  // Some file systems do not count inodes: they never run out of them.
  return new Map(rows.filter(([, { capacity }]) => capacity > 0));
}

function bytesOf({ availableBytes, capacityBytes }: DiskUsage): Observation {
  return { available: availableBytes, capacity: capacityBytes };
}

function inodesOf({ inodesFree, inodes }: DiskUsage): Observation {
  return { available: inodesFree, capacity: inodes };
}

/** Whether two paths are on one file system; what cannot be looked at is. */
export function isSameDisk(a: string, b: string): boolean {
  try {
    return statSync(a).dev === statSync(b).dev;
  } catch {
    return true;
  }
}
