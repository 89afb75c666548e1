import { Fault } from "#fault/fault";
import type { Clock } from "#life/clock";
import { Hierarchy } from "#node/cgroup/hierarchy";
import { findCgroupMounts } from "#node/cgroup/mounts";
import { cgroupOf } from "./layout.ts";

/** Takes the cgroups of a lab's pods away; absent is success. @throws {Fault} StillThere */
export async function removeCgroups(name: string, clock: Clock): Promise<void> {
  const mounts = findCgroupMounts();
  if (!mounts || (await new Hierarchy(mounts, clock).remove(cgroupOf(name)))) return;
  throw new Fault(
    "StillThere",
    `Cannot remove the cgroups ${cgroupOf(name)}: a process is still in one of them`,
  );
}
