import { isFault } from "#fault/fault";
import { Fd } from "./fd.ts";
import { flock, O_CLOEXEC, O_RDONLY, open } from "./ffi/libc.ts";

/** Locks the open file at `fd` for whoever shares it: also a process that gets the descriptor at its birth, and then for as long
 *  as that one lives. @throws {SyscallFault} EAGAIN: somebody else has it */
export function lockFile(fd: number): void {
  flock(fd, "lock");
}

/** Whether somebody has the lock of the file at `path` through another open of it; an absent file has none. */
export function isLockedElsewhere(path: string): boolean {
  try {
    using fd = new Fd(open(path, O_RDONLY | O_CLOEXEC), path);
    flock(fd.number, "lock");
    return false;
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return false;
    if (isFault(error) && error.code === "EAGAIN") return true;
    throw error;
  }
}
