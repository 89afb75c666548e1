import { existsSync, fchownSync } from "node:fs";
import { Fd } from "./fd.ts";
import { mkfifo, setPipeSize } from "./ffi/libc.ts";
import { pipe } from "./ffi/terminal-calls.ts";

/** Makes a pipe with a name, readable and writable by root alone; a standing one is left. @throws {SyscallFault} */
export function makeNamedPipe(path: string): void {
  if (!existsSync(path)) mkfifo(path, 0o600);
}

/** How much the open pipe holds before its writer waits, in bytes; the kernel may round up. @throws {SyscallFault} EPERM above its limit */
export function resizePipe(fd: number, bytes: number): void {
  setPipeSize(fd, bytes);
}

/** A pipe without a name. Unlike the sockets that Node gives a child for its streams, what a program has as `/dev/stdout` can then be
 *  opened again, by `uid`. @throws {SyscallFault} EMFILE */
export function openPipe(uid = 0): { readonly from: Fd; readonly to: Fd } {
  const [from, to] = pipe();
  if (uid !== 0) fchownSync(to, uid, 0);
  return { from: new Fd(from, "pipe to read"), to: new Fd(to, "pipe to write") };
}
