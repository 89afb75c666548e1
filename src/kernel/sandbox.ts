import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { Fault } from "#fault/fault";
import * as libc from "./ffi/libc.ts";

export type MountRight = "suid" | "dev" | "exec" | "write";

/** One thing put in place inside the sandbox, in the order given. Targets are resolved inside the new root, so that a link
 *  in a pod's volume never leads to the host; sources are the host's. Missing parents and targets are made. */
export type Mount =
  | {
      readonly kind: "bind";
      readonly source: string;
      readonly target: string;
      readonly readOnly?: boolean;
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
  | { readonly kind: "folder"; readonly target: string; readonly mode: number }
  | { readonly kind: "link"; readonly target: string; readonly to: string };

export interface SandboxProcess {
  /** Where the network namespace is mounted; undefined keeps the one of this thread. */
  readonly netns?: string | undefined;
  /** Undefined keeps the UTS namespace of this thread. */
  readonly hostname?: string | undefined;
  /** An existing folder of the host on which the new root is mounted: an empty tmpfs that nobody else sees. */
  readonly root: string;
  readonly rootOptions?: string;
  readonly mounts: readonly Mount[];
  readonly readOnlyRoot?: boolean;
  /** A PID namespace of its own, where the process is 1. Its `/proc` shows only itself from Linux 6.18 on. */
  readonly newPid: boolean;
  readonly newIpc?: boolean;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Inside the new root; made when missing. */
  readonly cwd: string;
  /** Descriptors for 0, 1 and 2; `undefined` is /dev/null. */
  readonly stdio: readonly [number | undefined, number | undefined, number | undefined];
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

export interface JoinedProcess {
  /** A process whose namespaces and root are joined. */
  readonly pid: number;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** `undefined` is /dev/null. */
  readonly stdio: readonly (number | "pipe" | undefined)[];
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** A process started here: its pid is known, so it runs (or has already ended, which its `exit` event tells). */
export type StartedProcess = ChildProcess & { readonly pid: number };

const OLD_ROOT = "/.host";
const KINDS = ["mnt", "uts", "ipc", "net"] as const;

/** Starts a program in namespaces and a root of its own, in its own session, without any helper program: this thread steps
 *  into fresh namespaces, forks there, and is back in its own before this returns. Costs 3 to 6 ms.
 *  @throws {Fault} "StartError" when the program cannot be executed; SyscallFault when the kernel refuses a step */
export function spawnInSandbox(spec: SandboxProcess): StartedProcess {
  const child = awayFromHome((nowhere) => {
    libc.unshare(namespaceFlags(spec));
    if (spec.netns !== undefined) enterNetns(spec.netns);
    libc.mount(null, "/", null, libc.MS_REC | libc.MS_SLAVE);
    buildRoot(spec);
    if (spec.hostname !== undefined) libc.sethostname(spec.hostname);
    mkdirSync(spec.cwd, { recursive: true });
    if (spec.readOnlyRoot) libc.remountReadOnly("/");
    return start(spec, nowhere);
  });
  if (spec.newPid) mountOwnProc(child.pid);
  return child;
}

/** Starts a program in the namespaces and root of a running process, as `exec` needs it. */
export function spawnBeside(spec: JoinedProcess): StartedProcess {
  return awayFromHome((nowhere) => {
    const joined = [...KINDS, "pid"].map((kind) => openNamespace(`/proc/${spec.pid}/ns/${kind}`));
    try {
      for (const fd of joined.reverse()) libc.setns(fd, 0); // mnt last: it takes /proc away
    } finally {
      for (const fd of joined) libc.close(fd);
    }
    return start(spec, nowhere);
  });
}

function namespaceFlags(spec: SandboxProcess): number {
  return (
    libc.CLONE_NEWNS |
    (spec.hostname === undefined ? 0 : libc.CLONE_NEWUTS) |
    (spec.newIpc === false ? 0 : libc.CLONE_NEWIPC) |
    (spec.newPid ? libc.CLONE_NEWPID : 0)
  );
}

/** Runs `f` and brings this thread back into every namespace it had. Nothing in `f` may be asynchronous. A thread that
 *  cannot come back is beyond repair, so that ends the process.
 *
 *  CLONE_FS is unshared for good on the first use, as setns refuses a mount namespace otherwise: from then on this
 *  thread's working folder and umask are its own, not those of the thread pool. */
export function awayFromHome<T>(f: (nowhere: number) => T): T {
  const cwd = process.cwd();
  const nowhere = openSync("/dev/null", "r+"); // a new root may have none
  libc.unshare(libc.CLONE_FS);
  const home = KINDS.map((kind) => openNamespace(`/proc/thread-self/ns/${kind}`));
  const pids = openNamespace("/proc/thread-self/ns/pid");
  try {
    return f(nowhere);
  } finally {
    libc.setns(pids, libc.CLONE_NEWPID); // children of this thread are born here again
    for (const fd of home) libc.setns(fd, 0);
    for (const fd of [...home, pids, nowhere]) libc.close(fd);
    process.chdir(cwd);
  }
}

function openNamespace(path: string): number {
  return libc.open(path, libc.O_RDONLY | libc.O_CLOEXEC);
}

function enterNetns(path: string): void {
  const fd = openNamespace(path);
  try {
    libc.setns(fd, libc.CLONE_NEWNET);
  } finally {
    libc.close(fd);
  }
}

function buildRoot(spec: SandboxProcess): void {
  const sources = spec.mounts.map((mount) => (mount.kind === "bind" ? openSource(mount.source) : undefined));
  try {
    libc.mount("tmpfs", spec.root, "tmpfs", 0, spec.rootOptions ?? "mode=755");
    mkdirSync(spec.root + OLD_ROOT);
    mkdirSync(`${spec.root}/proc`);
    libc.mount("/proc", `${spec.root}/proc`, null, libc.MS_BIND | libc.MS_REC);
    process.chdir(spec.root);
    libc.pivotRoot(".", `.${OLD_ROOT}`);
    process.chdir("/");
    for (const [i, mount] of spec.mounts.entries()) place(mount, sources[i]);
    // Only now: a mount may need a folder made inside another one that is read-only, as a volume within a config map does.
    for (const mount of spec.mounts)
      if (mount.kind === "bind" && mount.readOnly) libc.makeReadOnly(mount.target);
  } finally {
    for (const source of sources) if (source) libc.close(source.fd);
  }
  libc.umount(OLD_ROOT);
  rmdirSync(OLD_ROOT);
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

function start(
  spec: Pick<JoinedProcess, "command" | "args" | "env" | "cwd" | "uid" | "gid" | "stdio">,
  nowhere: number,
): StartedProcess {
  const { command, args, env, cwd, uid, gid } = spec;
  const child = spawn(command, [...args], {
    stdio: spec.stdio.map((fd) => fd ?? nowhere),
    detached: true,
    env,
    cwd,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
  child.on("error", () => {}); // Told at once by the missing pid, below.
  if (!isStarted(child)) {
    throw new Fault(
      "StartError",
      `Cannot start ${command}: not an executable file in the container, or ${cwd} is no folder`,
      {
        detail: { command, cwd },
      },
    );
  }
  return child;
}

function isStarted(child: ChildProcess): child is StartedProcess {
  return child.pid !== undefined;
}

/** Covers the `/proc` of a process that is 1 of its own PID namespace by one that shows only that. The process is already
 *  running; until this (a fifth of a millisecond) it sees the host's, in which its own entry is right too. */
function mountOwnProc(pid: number): void {
  awayFromHome(() => {
    try {
      const pidns = openNamespace(`/proc/${pid}/ns/pid`);
      const mntns = openNamespace(`/proc/${pid}/ns/mnt`);
      try {
        const proc = libc.openProcOf(pidns);
        try {
          libc.setns(mntns, libc.CLONE_NEWNS);
          libc.attachMount(proc, "/proc");
        } finally {
          libc.close(proc);
        }
      } finally {
        libc.close(pidns);
        libc.close(mntns);
      }
    } catch {
      // Already gone, or a kernel before 6.18: then it sees the host's.
    }
  });
}

/** The identity of a process's namespace, such as `net:[4026531840]`; undefined when it is gone. */
export function namespaceOf(pid: number, kind: "mnt" | "uts" | "ipc" | "net" | "pid"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}
