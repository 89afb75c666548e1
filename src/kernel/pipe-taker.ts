import { closeSync, constants, openSync, readSync } from "node:fs";
import { copyPipe, movePipe } from "./ffi/pipe-calls.ts";
import { pipe } from "./ffi/terminal-calls.ts";

const CHUNK_BYTES = 64 * 1024;

/** Room to look at what is in a pipe; empty between two looks, so one serves all pipes of a thread. */
export class PipeWindow implements Disposable {
  readonly #from: number;
  readonly #to: number;
  readonly #into = Buffer.alloc(CHUNK_BYTES);

  constructor() {
    [this.#from, this.#to] = pipe();
  }

  /** A copy of what is first in the pipe; empty when nothing is. */
  lookInto(fd: number): Buffer {
    const bytes = copyPipe(fd, this.#to, CHUNK_BYTES) ?? 0;
    for (let at = 0; at < bytes; ) at += readSync(this.#from, this.#into, at, bytes - at, null);
    return Buffer.from(this.#into.subarray(0, bytes));
  }

  [Symbol.dispose](): void {
    closeSync(this.#from);
    closeSync(this.#to);
  }
}

/** Takes what waits in a named pipe by way of a second one: a byte is in one of the two until it was said to be `done` with, and
 *  whoever ends in between has lost nothing. Both pipes have to be held open by somebody else to outlast this process. */
export class PipeTaker implements Disposable {
  readonly #from: number;
  readonly #held: number;
  readonly #window: PipeWindow;
  readonly #drop = Buffer.allocUnsafe(CHUNK_BYTES);

  constructor(paths: { readonly from: string; readonly held: string }, window: PipeWindow) {
    this.#window = window;
    this.#from = openSync(paths.from, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      this.#held = openSync(paths.held, constants.O_RDWR | constants.O_NONBLOCK);
    } catch (error) {
      closeSync(this.#from);
      throw error;
    }
  }

  /** What was taken and not done with. */
  held(): Buffer {
    return this.#window.lookInto(this.#held);
  }

  /** Takes what waits, 64 KiB at most. "ended" when nothing does and nobody can write any more. */
  take(): Buffer | "nothing" | "ended" {
    const moved = movePipe(this.#from, this.#held, CHUNK_BYTES);
    if (moved === undefined) return "nothing";
    return moved === 0 ? "ended" : this.held();
  }

  /** Forgets the first `bytes` of what is held. */
  done(bytes: number): void {
    for (let left = bytes; left > 0; )
      left -= readSync(this.#held, this.#drop, 0, Math.min(left, this.#drop.length), null);
  }

  [Symbol.dispose](): void {
    closeSync(this.#from);
    closeSync(this.#held);
  }
}
