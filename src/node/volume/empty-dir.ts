import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "#fault/fault";
import { hasOwnFileSystem, mountTmpfs } from "#kernel/mount";
import type { EmptyDirVolumeSource, Pod } from "#kube/generated/types";
import { wholeOf } from "../cgroup/amounts.ts";
import { podLimits } from "../cgroup/limits.ts";

/** Makes the volume stand: world-writable whatever the umask, of the pod's group, in memory when asked. One that stands is left as its
 *  containers have made it. @throws {Fault} "FailedMount" */
export function prepareEmptyDir(
  path: string,
  { medium = "", sizeLimit }: EmptyDirVolumeSource,
  { pod, allocatable }: { pod: Pod; allocatable: Readonly<Record<string, string>> },
): void {
  const gid = pod.spec?.securityContext?.fsGroup;
  if (medium !== "" && medium !== "Memory")
    throw new Fault("FailedMount", `this node cannot make an emptyDir of medium ${medium}`);
  if (!existsSync(path)) makeFolder(path, gid);
  if (medium !== "Memory" || hasOwnFileSystem(path)) return;
  const size = memorySize(pod, sizeLimit, allocatable);
  const group = gid === undefined ? "mode=1777" : `mode=3777,gid=${gid}`;
  mountMemory(path, size === undefined ? group : `${group},size=${size}`);
}

/** Mounts a file system in memory that is never swapped out, where the kernel knows such a thing (6.3 and later). */
export function mountMemory(path: string, options: string): void {
  try {
    mountTmpfs(path, `${options},noswap`);
  } catch {
    mountTmpfs(path, options);
  }
}

/** Whole at once, so that one which stands is known to have its modes. */
function makeFolder(path: string, gid: number | undefined): void {
  const fresh = `${path}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
  mkdirSync(fresh);
  if (gid !== undefined) chownSync(fresh, -1, gid);
  chmodSync(fresh, gid === undefined ? 0o777 : 0o2777);
  renameSync(fresh, path);
}

/** The least of what the volume, the pod and the node may have. */
function memorySize(
  pod: Pod,
  sizeLimit: string | undefined,
  allocatable: Readonly<Record<string, string>>,
): number | undefined {
  const { memoryBytes } = podLimits(pod, { pids: undefined });
  const bounds = [
    wholeOf(allocatable["memory"]),
    typeof memoryBytes === "number" ? memoryBytes : 0,
    wholeOf(sizeLimit),
  ].filter((bytes) => bytes > 0);
  return bounds.length === 0 ? undefined : Math.min(...bounds);
}
