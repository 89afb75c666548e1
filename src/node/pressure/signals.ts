/** What a node can run short of, as thresholds name it. @see kubelet eviction/api/types.go */
export type Signal =
  | "memory.available"
  | "allocatableMemory.available"
  | "nodefs.available"
  | "nodefs.inodesFree"
  | "imagefs.available"
  | "imagefs.inodesFree"
  | "containerfs.available"
  | "containerfs.inodesFree"
  | "pid.available";

/** The Node's condition that says so. */
export type Pressure = "MemoryPressure" | "DiskPressure" | "PIDPressure";

/** What evicted pods are told was short. */
export type Starved = "memory" | "ephemeral-storage" | "inodes" | "pids";

const DISK = { pressure: "DiskPressure", starved: "ephemeral-storage" } as const;
const INODES = { pressure: "DiskPressure", starved: "inodes" } as const;
const MEMORY = { pressure: "MemoryPressure", starved: "memory" } as const;

export const SIGNALS: Readonly<Record<Signal, { readonly pressure: Pressure; readonly starved: Starved }>> = {
  "memory.available": MEMORY,
  "allocatableMemory.available": MEMORY,
  "nodefs.available": DISK,
  "nodefs.inodesFree": INODES,
  "imagefs.available": DISK,
  "imagefs.inodesFree": INODES,
  "containerfs.available": DISK,
  "containerfs.inodesFree": INODES,
  "pid.available": { pressure: "PIDPressure", starved: "pids" },
};

export function isSignal(name: string): name is Signal {
  return Object.hasOwn(SIGNALS, name);
}
