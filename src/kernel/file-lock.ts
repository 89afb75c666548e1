import { isFault } from "#fault/fault";
import { Fd } from "./fd.ts";
import { flock, O_CLOEXEC, O_CREAT, O_RDWR, open } from "./ffi/libc.ts";

const STEP_MS = 1;
const OWNER_ONLY = 0o600;

/** Runs `f` while this process alone has the lock of the file at `path`, which is made when missing; other programs that take
 *  the same lock by flock(2) wait. Holds up this thread while others have it, for `patienceMs` at most.
 *  @throws {SyscallFault} EAGAIN after that */
export function withFileLock<T>(path: string, { patienceMs }: { patienceMs: number }, f: () => T): T {
  using fd = new Fd(open(path, O_RDWR | O_CREAT | O_CLOEXEC, OWNER_ONLY), path);
  const deadline = performance.now() + patienceMs;
  while (!take(fd.number, performance.now() >= deadline))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STEP_MS);
  // Closing gives it free.
  return f();
}

function take(fd: number, isLastTry: boolean): boolean {
  try {
    flock(fd, "lock");
    return true;
  } catch (error) {
    if (isLastTry || !isFault(error) || error.code !== "EAGAIN") throw error;
    return false;
  }
}
