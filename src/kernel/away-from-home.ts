import { openSync, readlinkSync } from "node:fs";
import * as libc from "./ffi/libc.ts";

const KINDS = ["mnt", "uts", "ipc", "net"] as const;

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

/** @returns a descriptor the caller owns */
export function openNamespace(path: string): number {
  return libc.open(path, libc.O_RDONLY | libc.O_CLOEXEC);
}

/** Moves this thread into the namespace kept at `path`. */
export function enterNamespace(path: string): void {
  const fd = openNamespace(path);
  try {
    libc.setns(fd, 0);
  } finally {
    libc.close(fd);
  }
}

/** The identity of a process's namespace, such as `net:[4026531840]`; undefined when it is gone. */
export function namespaceOf(pid: number, kind: "mnt" | "uts" | "ipc" | "net" | "pid"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}
