/** Waiting for descriptors that Node's event loop cannot hold: netlink and raw sockets. The kernel signals an arrival, libuv
 *  turns the signal into a turn of the loop, and nobody polls (8 us from arrival to listener in a busy process, 30 us in an
 *  idle one). */
import { isMainThread } from "node:worker_threads";
import { signalArrivals, stopSignallingArrivals } from "./ffi/signal-calls.ts";

/** The signal does not tell whose arrival it is. */
const listeners = new Set<() => void>();
let isHearing = false;

/** Calls `listener` in a turn of its own when something may have arrived at `fd`, and once at the start. It must read until
 *  EAGAIN (with MSG_DONTWAIT), for an arrival is told once; it may be called when nothing is there. An overflow (ENOBUFS) is
 *  told like an arrival. Waiting does not keep the process alive. `fd` must be closed after this is disposed, not before.
 *  Only the main thread hears signals. */
export function whenReadable(fd: number, listener: () => void): Disposable {
  if (!isMainThread) throw new Error("broken invariant: only the main thread can wait for descriptors");
  hear();
  // An own function for each call, so that the same listener may wait for two descriptors.
  const wake = () => listener();
  listeners.add(wake);
  try {
    signalArrivals(fd);
  } catch (error) {
    listeners.delete(wake);
    throw error;
  }
  const first = setImmediate(wake);
  let isWaiting = true;
  return {
    [Symbol.dispose]() {
      if (!isWaiting) return;
      isWaiting = false;
      clearImmediate(first);
      listeners.delete(wake);
      stopSignallingArrivals(fd);
    },
  };
}

/** Never undone: a signal on its way would end a process that does not expect it. Node lets a process end in spite of it. */
function hear(): void {
  if (isHearing) return;
  isHearing = true;
  process.on("SIGIO", () => {
    // A listener may dispose of another: that one is not called any more.
    for (const wake of [...listeners]) if (listeners.has(wake)) wake();
  });
}
