import { closeSync, write } from "node:fs";
import { Duplex } from "node:stream";
import { ReadStream } from "node:tty";
import type { Fd } from "./fd.ts";
import { duplicate, setTerminalSize } from "./ffi/terminal-calls.ts";
import type { TerminalSize } from "./terminal.ts";

/** How long a full terminal is left alone: its program does not read what was typed. */
const FULL_MS = 10;

/** The master's side of a terminal as a stream. It ends when no program has the other side open any more; destroying it hangs up on
 *  those that have. Takes `master` over, which must not wait. */
export class TerminalStream extends Duplex {
  readonly #source: ReadStream;
  /** A copy, so that a write under way never meets a number that means something else by now. */
  readonly #fd: number;
  #isWriting = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(master: Fd) {
    super({ allowHalfOpen: false });
    this.#fd = duplicate(master.number);
    this.#source = new ReadStream(master.disown());
    this.#source.on("data", (data: Buffer) => {
      if (!this.push(data)) this.#source.pause();
    });
    // EIO: the last program has closed its side.
    this.#source.on("error", () => this.#source.destroy());
    this.#source.on("close", () => this.push(null));
  }

  /** A size without an extent is none, as clients say before they know better. */
  resize({ columns, rows }: TerminalSize): void {
    if (columns > 0 && rows > 0 && !this.destroyed) setTerminalSize(this.#fd, { columns, rows });
  }

  override _read(): void {
    this.#source.resume();
  }

  override _write(data: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // Libuv would wait in the kernel for a program that does not read: so this writes itself.
    if (this.#source.destroyed) {
      done();
      return;
    }
    this.#isWriting = true;
    write(this.#fd, data, 0, data.length, null, (error, written) => {
      this.#isWriting = false;
      if (this.destroyed) return this.#close();
      if (error?.code === "EAGAIN") this.#later(data, done);
      else if (error || written === data.length)
        done(); // With an error nobody is left to read it.
      else this._write(data.subarray(written), "utf8", done);
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#source.destroy();
    if (!this.#isWriting) this.#close();
    done(error);
  }

  #later(data: Buffer, done: () => void): void {
    this.#timer = setTimeout(() => this._write(data, "utf8", done), FULL_MS);
  }

  #close(): void {
    closeSync(this.#fd);
  }
}
