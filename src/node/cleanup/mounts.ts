import { rmdirSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { mountsAt, unmount } from "#kernel/mount";

/** Where pods have things mounted: as k3s-killall.sh has it, and the folders of Twill's own. */
export function podMountFolders(dataDir: string): readonly string[] {
  return [
    "/run/k3s",
    "/var/lib/kubelet/pods",
    "/var/lib/kubelet/plugins",
    join(dataDir, "agent/kubelet/pods"),
    join(dataDir, "agent/process"),
  ];
}

/** Mount points in those folders, innermost first. */
export function findPodMounts(folders: readonly string[]): readonly string[] {
  return folders.flatMap((dir) => [...mountsAt(dir)].reverse());
}

/** Takes the mount away, and the file or the empty folder it was mounted on. Whatever is in there stays: it is not of the mount.
 *  @throws {SyscallFault} */
export function removePodMount(path: string): void {
  unmount(path);
  try {
    if (mountsAt(path).length > 0) return;
    if (statSync(path).isDirectory()) rmdirSync(path);
    else unlinkSync(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
  }
}
