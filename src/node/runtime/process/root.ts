import { existsSync } from "node:fs";
import type { Mount } from "#kernel/sandbox";
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
  "/etc/passwd",
  "/etc/group",
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
  /** A folder the program may leave its exit code in, and where it appears inside. */
  readonly runDir: { readonly host: string; readonly inside: string };
  readonly terminationLog: { readonly host: string; readonly inside: string };
  readonly binds: readonly VolumeBind[];
}

/** Everything a container of a carried image finds under `/`, in order; volumes come last, outer before inner. */
export function containerMounts(spec: RootSpec): readonly Mount[] {
  const standing = (path: string) => existsSync(path);
  return [
    ...HOST_FOLDERS.filter(standing).map(fromHost),
    ...folders(),
    ...HOST_FILES.filter(standing).map(fromHost),
    ...devices(),
    { kind: "filesystem", type: "sysfs", target: "/sys", without: [...QUIET, "write"] },
    { kind: "bind", source: process.execPath, target: NODE_PATH, readOnly: true },
    { kind: "bind", source: spec.imagesDir, target: IMAGES_PATH, readOnly: true },
    { kind: "bind", source: spec.runDir.host, target: spec.runDir.inside },
    { kind: "bind", source: spec.terminationLog.host, target: spec.terminationLog.inside },
    ...[...spec.binds].sort(byDepth).map(volume),
  ];
}

function fromHost(path: string): Mount {
  return { kind: "bind", source: path, target: path, readOnly: true };
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

function devices(): readonly Mount[] {
  const link = (name: string, to: string): Mount => ({ kind: "link", target: `/dev/${name}`, to });
  return [
    { kind: "filesystem", type: "tmpfs", target: "/dev", without: ["suid"], options: "mode=755,size=64k" },
    ...DEVICES.map((name): Mount => ({ kind: "bind", source: `/dev/${name}`, target: `/dev/${name}` })),
    {
      kind: "filesystem",
      type: "devpts",
      target: "/dev/pts",
      without: ["suid", "exec"],
      options: "newinstance,ptmxmode=0666,mode=0620,gid=5",
    },
    { kind: "filesystem", type: "tmpfs", target: "/dev/shm", without: QUIET, options: "mode=1777,size=64m" },
    { kind: "filesystem", type: "mqueue", target: "/dev/mqueue", without: QUIET },
    link("ptmx", "pts/ptmx"),
    link("fd", "/proc/self/fd"),
    link("stdin", "/proc/self/fd/0"),
    link("stdout", "/proc/self/fd/1"),
    link("stderr", "/proc/self/fd/2"),
  ];
}

function byDepth(a: VolumeBind, b: VolumeBind): number {
  return a.containerPath.split("/").length - b.containerPath.split("/").length;
}

function volume(bind: VolumeBind): Mount {
  return {
    kind: "bind",
    source: bind.hostPath,
    target: bind.containerPath,
    readOnly: bind.isReadOnly,
    propagation: bind.propagation,
  };
}
