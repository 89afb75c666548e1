import { chmodSync, mkdirSync, rmdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as libc from "./ffi/libc.ts";
import { attachMount } from "./ffi/terminal-calls.ts";

const OLD_ROOT = "/.host";

export type MountRight = "suid" | "dev" | "exec" | "write";

/** One thing put in place inside the sandbox, in the order given. Targets are resolved inside the new root, so that a link
 *  in a pod's volume never leads to the host; sources are the host's. Missing parents and targets are made. */
export type Mount =
  | {
      readonly kind: "bind";
      readonly source: string;
      readonly target: string;
      readonly readOnly?: boolean;
      /** Device files on it are of no use. */
      readonly noDevices?: boolean;
      /** `slave`: later mounts of the host below the source appear inside too. */
      readonly propagation?: "private" | "slave" | "shared";
    }
  | {
      readonly kind: "filesystem";
      readonly type: "tmpfs" | "sysfs" | "devpts" | "mqueue";
      readonly target: string;
      /** What nothing on it may do: run set-uid programs, be a device, be executed, be written. */
      readonly without?: readonly MountRight[];
      readonly options?: string;
    }
  /** A file system that is mounted nowhere yet, by its descriptor. */
  | { readonly kind: "prepared"; readonly descriptor: number; readonly target: string }
  | { readonly kind: "folder"; readonly target: string; readonly mode: number }
  | { readonly kind: "link"; readonly target: string; readonly to: string };

export interface SandboxRoot {
  /** An existing folder of the host on which the new root is mounted: an empty tmpfs that nobody else sees. */
  readonly root: string;
  readonly rootOptions?: string;
  readonly mounts: readonly Mount[];
}

/** Lays the mounts and makes them the root of this thread's mount namespace. `/proc` is the host's. */
export function buildRoot(spec: SandboxRoot): void {
  const sources = spec.mounts.map((mount) => (mount.kind === "bind" ? openSource(mount.source) : undefined));
  try {
    libc.mount("tmpfs", spec.root, "tmpfs", libc.MS_NODEV, spec.rootOptions ?? "mode=755");
    mkdirSync(spec.root + OLD_ROOT);
    mkdirSync(`${spec.root}/proc`);
    libc.mount("/proc", `${spec.root}/proc`, null, libc.MS_BIND | libc.MS_REC);
    process.chdir(spec.root);
    libc.pivotRoot(".", `.${OLD_ROOT}`);
    process.chdir("/");
    for (const [i, mount] of spec.mounts.entries()) place(mount, sources[i]);
    // Only now: a mount may need a folder made inside another one that is read-only, as a volume within a config map does.
    for (const mount of spec.mounts) if (mount.kind === "bind") restrict(mount);
  } finally {
    for (const source of sources) if (source) libc.close(source.fd);
  }
  libc.umount(OLD_ROOT);
  rmdirSync(OLD_ROOT);
}

function restrict({ target, readOnly = false, noDevices = false }: Mount & { kind: "bind" }): void {
  if (readOnly || noDevices) libc.restrictMount(target, { write: readOnly, devices: noDevices });
}

interface Source {
  readonly fd: number;
  readonly isFolder: boolean;
}

function openSource(path: string): Source {
  return { fd: libc.open(path, libc.O_PATH | libc.O_CLOEXEC), isFolder: statSync(path).isDirectory() };
}

function place(mount: Mount, source: Source | undefined): void {
  switch (mount.kind) {
    case "bind":
      if (source) placeBind(mount, source);
      return;
    case "filesystem":
      mkdirSync(mount.target, { recursive: true });
      libc.mount(mount.type, mount.target, mount.type, flagsOf(mount.without), mount.options ?? null);
      return;
    case "prepared":
      mkdirSync(mount.target, { recursive: true });
      attachMount(mount.descriptor, mount.target);
      return;
    case "folder":
      mkdirSync(mount.target, { recursive: true });
      chmodSync(mount.target, mount.mode); // whatever the umask
      return;
    case "link":
      mkdirSync(dirname(mount.target), { recursive: true });
      symlinkSync(mount.to, mount.target);
      return;
    default:
      mount satisfies never;
  }
}

const WITHOUT = {
  suid: libc.MS_NOSUID,
  dev: libc.MS_NODEV,
  exec: libc.MS_NOEXEC,
  write: libc.MS_RDONLY,
} as const;

function flagsOf(without: readonly MountRight[] = []): number {
  return without.reduce((flags, right) => flags | WITHOUT[right], 0);
}

const PROPAGATION = {
  private: libc.MS_PRIVATE,
  slave: libc.MS_SLAVE,
  shared: libc.MS_SHARED,
} as const;

function placeBind(mount: Mount & { kind: "bind" }, source: Source): void {
  makeTarget(mount.target, source.isFolder);
  // The source is reached by its descriptor: its path means something else under the new root.
  libc.mount(`/proc/thread-self/fd/${source.fd}`, mount.target, null, libc.MS_BIND | libc.MS_REC);
  libc.mount(null, mount.target, null, libc.MS_REC | PROPAGATION[mount.propagation ?? "private"]);
}

function makeTarget(target: string, isFolder: boolean): void {
  if (isFolder) {
    mkdirSync(target, { recursive: true });
    return;
  }
  mkdirSync(dirname(target), { recursive: true });
  try {
    writeFileSync(target, "", { flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}
