/** Mount namespaces that outlive the processes in them: what makes a folder of this machine look like another machine's
 *  `/run` and `/var/lib`, across restarts of everything that runs there. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { Fault } from "#fault/fault";
import { awayFromHome } from "./away-from-home.ts";
import * as libc from "./ffi/libc.ts";

export interface Bind {
  readonly source: string;
  readonly target: string;
}

/** Makes a mount namespace like this one with `binds` laid over it in order, and keeps it mounted at `pin`.
 *  Mounts made inside stay inside. The folder of `pin` must be private, see `makePrivate`. */
export function createMountNamespace(pin: string, binds: readonly Bind[]): void {
  mkdirSync(dirname(pin), { recursive: true });
  closeSync(openSync(pin, "wx", 0o444));
  const inside = awayFromHome(() => {
    libc.unshare(libc.CLONE_NEWNS);
    libc.mount(null, "/", null, libc.MS_REC | libc.MS_SLAVE);
    for (const { source, target } of binds) libc.mount(source, target, null, libc.MS_BIND | libc.MS_REC);
    return libc.open("/proc/thread-self/ns/mnt", libc.O_RDONLY | libc.O_CLOEXEC);
  });
  try {
    libc.mount(`/proc/thread-self/fd/${inside}`, pin, null, libc.MS_BIND);
  } finally {
    libc.close(inside);
  }
}

/** Unmounts and removes; absent is success. */
export function deletePin(path: string): void {
  try {
    libc.umount(path);
  } catch (error) {
    if (!(error instanceof Fault && (error.code === "EINVAL" || error.code === "ENOENT"))) throw error;
  }
  rmSync(path, { force: true });
}

/** Makes `dir` a mount of its own that nothing propagates from: namespaces can only be kept on such a mount. */
export function makePrivate(dir: string): void {
  mkdirSync(dir, { recursive: true });
  if (isMountPoint(dir)) return;
  libc.mount(dir, dir, null, libc.MS_BIND);
  libc.mount(null, dir, null, libc.MS_PRIVATE);
}

/** Undoes `makePrivate`, also when it was done more than once; absent is success. */
export function unmountPrivate(dir: string): void {
  while (isMountPoint(dir)) libc.umount(dir);
}

/** Whether something is mounted at `dir` in this mount namespace. */
export function isMountPoint(dir: string): boolean {
  const lines = readFileSync("/proc/thread-self/mountinfo", "utf8").split("\n");
  return lines.some((line) => line.split(" ")[4] === dir);
}

export interface NamespacedProcess {
  /** Where the namespaces are mounted. */
  readonly netns: string;
  readonly mountNamespace: string;
  /** What the program finds to be the machine's name. */
  readonly hostname: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Descriptors of this process that become 0, 1, 2 and on. */
  readonly stdio: readonly (number | "ignore")[];
}

/** Starts a program inside namespaces that stand, in its own session: it does not end with this process. */
export function spawnInNamespaces(spec: NamespacedProcess): ChildProcess {
  return awayFromHome(() => {
    for (const path of [spec.netns, spec.mountNamespace]) {
      const fd = libc.open(path, libc.O_RDONLY | libc.O_CLOEXEC);
      libc.setns(fd, 0);
      libc.close(fd);
    }
    libc.unshare(libc.CLONE_NEWUTS);
    libc.sethostname(spec.hostname);
    return spawn(spec.command, [...spec.args], {
      stdio: [...spec.stdio],
      detached: true,
      env: spec.env,
      cwd: spec.cwd,
    });
  });
}
