import { existsSync } from "node:fs";
import { mkfifo, setPipeSize } from "./ffi/libc.ts";

/** Makes a pipe with a name, readable and writable by root alone; a standing one is left. @throws {SyscallFault} */
export function makeNamedPipe(path: string): void {
  if (!existsSync(path)) mkfifo(path, 0o600);
}

/** How much the open pipe holds before its writer waits, in bytes; the kernel may round up. @throws {SyscallFault} EPERM above its limit */
export function resizePipe(fd: number, bytes: number): void {
  setPipeSize(fd, bytes);
}
