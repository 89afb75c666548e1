/** The C functions that make descriptors wake this process, and calls that no such wake-up may cut short. */
import koffi from "koffi";
import { SyscallFault } from "#fault/kernel-fault";

const libc = koffi.load("libc.so.6");
const raw = {
  fcntl: libc.func("fcntl", "int", ["int", "int", "long"]),
  mask: libc.func("int pthread_sigmask(int how, void *set, void *before)"),
};
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETOWN = 8;
const O_ASYNC = 0o20000;
const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
const SIGIO = 29;
/** sigset_t of glibc; the kernel reads its first eight bytes. */
const SIGSET_BYTES = 128;

/** From now on this process gets SIGIO whenever something arrives at `fd` or its queue overflows; several arrivals may come as
 *  one signal. @see fcntl(2) O_ASYNC, F_SETOWN */
export function signalArrivals(fd: number): void {
  checked(raw.fcntl(fd, F_SETOWN, process.pid), "own", fd);
  setAsync(fd, true);
}

export function stopSignallingArrivals(fd: number): void {
  setAsync(fd, false);
}

function setAsync(fd: number, isWanted: boolean): void {
  const flags = checked(raw.fcntl(fd, F_GETFL, 0), "read the flags of", fd);
  const wanted = isWanted ? flags | O_ASYNC : flags & ~O_ASYNC;
  checked(raw.fcntl(fd, F_SETFL, wanted), "set the flags of", fd);
}

const arrivals = new BigUint64Array(SIGSET_BYTES / 8);
arrivals[0] = 1n << BigInt(SIGIO - 1);

/** Runs `f` while arrivals do not interrupt this thread; they are told right after. For C code that takes EINTR for a failure,
 *  and for calls with a time limit, which the kernel never resumes by itself. @see signal(7), "Interruption of system calls" */
export function undisturbed<T>(f: () => T): T {
  const before = new BigUint64Array(SIGSET_BYTES / 8);
  raw.mask(SIG_BLOCK, arrivals, before);
  try {
    return f();
  } finally {
    raw.mask(SIG_SETMASK, before, null);
  }
}

function checked(result: number, call: string, fd: number): number {
  if (result >= 0) return result;
  throw new SyscallFault(call, `descriptor ${fd}`, koffi.errno());
}
