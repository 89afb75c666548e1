import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Mount } from "#kernel/sandbox-root";
import type { VolumeBind } from "../runtime.ts";
import { IMAGES_FOLDER } from "./images/preamble.ts";

/** What of the host a carried image stands on: the C library and CA certificates, all read-only. */
const HOST_FOLDERS = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix"] as const;
const HOST_FILES = [
  "/etc/ssl",
  "/etc/ca-certificates",
  "/etc/pki",
  "/etc/alternatives",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/services",
  "/etc/protocols",
  "/etc/localtime",
] as const;
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"] as const;
const QUIET = ["suid", "dev", "exec"] as const;

export const NODE_PATH = "/.twill/node";
export const IMAGES_PATH = IMAGES_FOLDER;

export interface RootSpec {
  /** The folder of bundles on the host. */
  readonly imagesDir: string;
  readonly terminationLog: { readonly host: string; readonly inside: string };
  /** The folder with the images' `passwd` and `group`. */
  readonly usersDir: string;
  /** The pod's shared memory; undefined is the node's. */
  readonly shm: string | undefined;
  /** With all of the node's devices, and a `/sys` that can be written. */
  readonly isPrivileged: boolean;
  /** The devpts of its terminal, mounted nowhere yet; undefined without a terminal. */
  readonly devpts: number | undefined;
  readonly binds: readonly VolumeBind[];
}

/** Everything a container of a carried image finds under `/`, in order; volumes come last, outer before inner. */
export function containerMounts(spec: RootSpec): readonly Mount[] {
  const standing = (path: string) => existsSync(path);
  return [
    ...HOST_FOLDERS.filter(standing).map(fromHost),
    ...folders(),
    ...HOST_FILES.filter(standing).map(fromHost),
    ...["passwd", "group"].map((name) => readOnly(join(spec.usersDir, name), `/etc/${name}`)),
    ...devices(spec),
    {
      kind: "filesystem",
      type: "sysfs",
      target: "/sys",
      without: spec.isPrivileged ? QUIET : [...QUIET, "write"],
    },
    readOnly(process.execPath, NODE_PATH),
    readOnly(spec.imagesDir, IMAGES_PATH),
    { kind: "bind", source: spec.terminationLog.host, target: spec.terminationLog.inside },
    ...[...spec.binds].sort(byDepth).map((bind) => volume(bind, spec)),
  ];
}

function fromHost(path: string): Mount {
  return readOnly(path, path);
}

/** None of these has a device on it that anybody needs. */
function readOnly(source: string, target: string): Mount {
  return { kind: "bind", source, target, readOnly: true, noDevices: true };
}

function folders(): readonly Mount[] {
  const folder = (target: string, mode = 0o755): Mount => ({ kind: "folder", target, mode });
  return [
    folder("/etc"),
    folder("/root", 0o700),
    folder("/home"),
    folder("/tmp", 0o1777),
    folder("/run"),
    folder("/var/tmp", 0o1777),
    folder("/var/lib"),
    folder("/var/log"),
    { kind: "link", target: "/var/run", to: "/run" },
  ];
}

function devices({ shm, isPrivileged, devpts }: RootSpec): readonly Mount[] {
  const link = (name: string, to: string): Mount => ({ kind: "link", target: `/dev/${name}`, to });
  return [
    { kind: "filesystem", type: "tmpfs", target: "/dev", without: ["suid"], options: "mode=755,size=64k" },
    ...(isPrivileged ? hostDevices() : DEVICES).map(
      (name): Mount => ({ kind: "bind", source: `/dev/${name}`, target: `/dev/${name}` }),
    ),
    terminals(devpts),
    { kind: "bind", source: shm ?? "/dev/shm", target: "/dev/shm", noDevices: true },
    { kind: "filesystem", type: "mqueue", target: "/dev/mqueue", without: QUIET },
    link("ptmx", "pts/ptmx"),
    link("fd", "/proc/self/fd"),
    link("stdin", "/proc/self/fd/0"),
    link("stdout", "/proc/self/fd/1"),
    link("stderr", "/proc/self/fd/2"),
  ];
}

function terminals(devpts: number | undefined): Mount {
  const target = "/dev/pts";
  if (devpts !== undefined) return { kind: "prepared", descriptor: devpts, target };
  return {
    kind: "filesystem",
    type: "devpts",
    target,
    without: ["suid", "exec"],
    options: "newinstance,ptmxmode=0666,mode=0620,gid=5",
  };
}

/** What the node has, but for what a container has of its own. */
function hostDevices(): readonly string[] {
  const own = new Set([
    "pts",
    "ptmx",
    "shm",
    "mqueue",
    "fd",
    "stdin",
    "stdout",
    "stderr",
    "console",
    "core",
    "log",
  ]);
  return readdirSync("/dev").filter((name) => {
    const found = own.has(name) ? undefined : statSync(`/dev/${name}`, { throwIfNoEntry: false });
    return found && (found.isCharacterDevice() || found.isBlockDevice() || found.isDirectory());
  });
}

function byDepth(a: VolumeBind, b: VolumeBind): number {
  return a.containerPath.split("/").length - b.containerPath.split("/").length;
}

/** A container that may make device files gets nothing by them: that is what a devices cgroup would see to. */
function volume(bind: VolumeBind, { isPrivileged }: RootSpec): Mount {
  return {
    kind: "bind",
    source: bind.hostPath,
    target: bind.containerPath,
    readOnly: bind.isReadOnly,
    noDevices: !isPrivileged,
    propagation: bind.propagation,
  };
}
