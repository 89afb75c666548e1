import { lstatSync, mkdirSync, type Stats, statSync, writeFileSync } from "node:fs";
import { Fault } from "#fault/fault";
import type { HostPathVolumeSource } from "#kube/generated/types";

const CHECK: Readonly<Record<string, { readonly what: string; readonly holds: (stats: Stats) => boolean }>> =
  {
    Directory: { what: "directory", holds: (stats) => stats.isDirectory() },
    DirectoryOrCreate: { what: "directory", holds: (stats) => stats.isDirectory() },
    File: { what: "file", holds: (stats) => stats.isFile() },
    FileOrCreate: { what: "file", holds: (stats) => stats.isFile() },
    Socket: { what: "socket", holds: (stats) => stats.isSocket() },
    CharDevice: { what: "character device", holds: (stats) => stats.isCharacterDevice() },
    BlockDevice: { what: "block device", holds: (stats) => stats.isBlockDevice() },
  };

/** Makes sure that the host's path is what its type says; an untyped missing one becomes a folder.
 *  @throws {Fault} "FailedMount" */
export function prepareHostPath({ path, type = "" }: HostPathVolumeSource): void {
  if (!exists(path)) {
    if (type === "" || type === "DirectoryOrCreate") mkdirSync(path, { recursive: true, mode: 0o755 });
    if (type === "FileOrCreate") writeFileSync(path, "", { mode: 0o644 });
  }
  const check = CHECK[type];
  if (check && !(exists(path) && check.holds(statSync(path))))
    throw new Fault("FailedMount", `hostPath type check failed: ${path} is not a ${check.what}`);
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
