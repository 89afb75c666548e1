/** Pipes that are emptied without losing a byte, and executables without a path; numbers as in `libc.ts`. */
import koffi from "koffi";
import { SyscallFault } from "#fault/kernel-fault";

const libc = koffi.load("libc.so.6");
const raw = {
  memfdCreate: libc.func("int memfd_create(const char *name, unsigned int flags)"),
  splice: libc.func("long splice(int from, void *at, int to, void *into, size_t length, unsigned int flags)"),
  tee: libc.func("long tee(int from, int to, size_t length, unsigned int flags)"),
};
const MFD_CLOEXEC = 1;
const MFD_EXEC = 0x10;
const SPLICE_F_NONBLOCK = 2;
const EAGAIN = 11;

/** A file without a path, in memory, that may be executed; gone when nobody has it open. @returns a descriptor the caller owns */
export function memoryFile(name: string): number {
  const fd = raw.memfdCreate(name, MFD_CLOEXEC | MFD_EXEC);
  if (fd >= 0) return fd;
  return checked(raw.memfdCreate(name, MFD_CLOEXEC), "make a file in memory", name); // before Linux 6.3
}

/** Moves what waits in one pipe to another, at once: no byte is ever in neither. @returns how many; 0 when nobody can write any
 *  more, undefined when nothing is there or there is no room */
export function movePipe(from: number, to: number, bytes: number): number | undefined {
  return unlessBusy(raw.splice(from, null, to, null, bytes, SPLICE_F_NONBLOCK), "empty the pipe", from);
}

/** Copies what waits in one pipe to another; it also stays. @returns as `movePipe` */
export function copyPipe(from: number, to: number, bytes: number): number | undefined {
  return unlessBusy(raw.tee(from, to, bytes, SPLICE_F_NONBLOCK), "copy the pipe", from);
}

function unlessBusy(result: number | bigint, call: string, fd: number): number | undefined {
  if (Number(result) < 0 && koffi.errno() === EAGAIN) return undefined;
  return checked(Number(result), call, `descriptor ${fd}`);
}

function checked(result: number, call: string, subject: string): number {
  if (result >= 0) return result;
  throw new SyscallFault(call, subject, koffi.errno());
}
