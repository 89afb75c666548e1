import { closeSync, existsSync, fstatSync, mkdirSync, openSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { SyscallFault } from "#fault/kernel-fault";
import { Fd } from "./fd.ts";
import {
  CLONE_NEWNET,
  MS_BIND,
  mount,
  O_CLOEXEC,
  O_RDONLY,
  open,
  setns,
  umount,
  unshare,
} from "./ffi/libc.ts";
import type { Netns, Sync } from "./kernel.ts";
import { openNetlink } from "./netlink.ts";

/** This thread's, not the process's: threads of one process may live in different namespaces. */
const OWN = "/proc/thread-self/ns/net";
const LOOPBACK_INDEX = 1;

/** Makes a network namespace mounted at `path`, with lo up; this thread stays where it is. @throws {SyscallFault} EEXIST */
export function createNetns(path: string): Netns {
  using home = openPath(OWN);
  claimMountPoint(path);
  try {
    const fd = inFreshNetns(home.number, () => {
      mount(OWN, path, null, MS_BIND);
      using netlink = openNetlink();
      netlink.changeLink(LOOPBACK_INDEX, { isUp: true });
      return openPath(OWN);
    });
    return netnsOf(fd, path);
  } catch (error) {
    deleteNetns(path);
    throw error;
  }
}

/** @throws {SyscallFault} ENOENT */
export function openNetns(path: string): Netns {
  return netnsOf(openPath(path), path);
}

/** The namespace this thread is in. */
export function openOwnNetns(): Netns {
  return netnsOf(openPath(OWN), undefined);
}

/** A second handle on `ns`, which lives on when `ns` is closed. */
export function cloneNetns(ns: Netns): Netns {
  return netnsOf(openPath(`/proc/thread-self/fd/${ns.fd}`), ns.path);
}

/** Unmounts and removes; absent is success. The namespace itself lives on while something is in it or holds it open.
 *  Removing the file also drops the copies of the mount in other mount namespaces, so none need share it with us. */
export function deleteNetns(path: string): void {
  ignoring(["EINVAL", "ENOENT"], () => umount(path));
  ignoring(["ENOENT"], () => unlinkSync(path));
}

/** Runs `f` on this thread inside `ns` and comes back to where it was, which may be inside another one. */
export function inNetns<T>(ns: Netns, f: () => Sync<T>): T {
  using home = openPath(OWN);
  // Whoever is there needs no right to go there: containers that may change their network seldom have CAP_SYS_ADMIN.
  if (isSame(ns.fd, home.number)) return atOnce(f);
  setns(ns.fd, CLONE_NEWNET);
  return comingBackTo(home.number, f);
}

function isSame(a: number, b: number): boolean {
  const [one, other] = [fstatSync(a), fstatSync(b)];
  return one.ino === other.ino && one.dev === other.dev;
}

function inFreshNetns<T>(home: number, f: () => Sync<T>): T {
  unshare(CLONE_NEWNET);
  return comingBackTo(home, f);
}

function comingBackTo<T>(home: number, f: () => Sync<T>): T {
  try {
    return atOnce(f);
  } finally {
    comeBack(home);
  }
}

function atOnce<T>(f: () => Sync<T>): T {
  const result = f();
  if (result instanceof Promise) throw new Error("broken invariant: a promise cannot be kept in a namespace");
  return result;
}

/** Not a Fault, so that nobody catches it: a thread in the wrong namespace must not go on. */
function comeBack(home: number): void {
  try {
    setns(home, CLONE_NEWNET);
  } catch (cause) {
    throw new Error("broken invariant: this thread is stuck in another network namespace", { cause });
  }
}

/** An empty file to mount on; its directory is made when missing. */
function claimMountPoint(path: string): void {
  try {
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    closeSync(openSync(path, "wx", 0o444));
  } catch (error) {
    const errno = error instanceof Error && "errno" in error ? Number(error.errno) : 0;
    throw new SyscallFault("create network namespace", path, Math.abs(errno));
  }
}

function openPath(path: string): Fd {
  return new Fd(open(path, O_RDONLY | O_CLOEXEC), path);
}

function netnsOf(fd: Fd, path: string | undefined): Netns {
  return {
    get fd() {
      return fd.number;
    },
    path,
    [Symbol.dispose]: () => fd[Symbol.dispose](),
  };
}

function ignoring(codes: readonly string[], f: () => void): void {
  try {
    f();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (typeof code !== "string" || !codes.includes(code)) throw error;
  }
}
