import type { Readable } from "node:stream";
import type { Fd } from "#kernel/fd";
import type { TerminalSize } from "#kernel/terminal";
import { TerminalStream } from "#kernel/terminal-stream";
import { LogFile } from "../../../logs/log-file.ts";
import type { OutputListener, Pump } from "../pump.ts";

export interface TerminalPumpOptions {
  readonly logPath: string;
  /** Told when the log cannot be written: what could not be is lost to it, and the container goes on. */
  readonly onRefusal: (error: unknown) => void;
}

/** The pump of a container with a terminal: all it writes is output. While no agent reads, the terminal holds what fits (4 KiB), and
 *  then the container waits. */
export class TerminalPump implements Pump {
  readonly #terminal: TerminalStream;
  readonly #log: LogFile;
  readonly #options: TerminalPumpOptions;
  readonly #listeners = new Set<OutputListener>();
  readonly drained: Promise<void>;

  /** Takes `master` over. */
  constructor(master: Fd, options: TerminalPumpOptions) {
    this.#options = options;
    this.#log = new LogFile(options.logPath);
    this.#terminal = new TerminalStream(master);
    this.#terminal.on("data", (piece: Buffer) => this.#write(piece));
    this.drained = new Promise((resolve) => {
      this.#terminal.once("close", () => {
        this.#log[Symbol.dispose]();
        resolve();
      });
    });
  }

  /** A terminal tells by itself that there is something. */
  wake(): void {}

  subscribe(listener: OutputListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  reopen(): void {
    this.#log.reopen();
  }

  resize(size: TerminalSize): void {
    this.#terminal.resize(size);
  }

  /** What a client types, until it ends or is stopped. @returns the way to stop */
  take(input: Readable): () => void {
    input.pipe(this.#terminal, { end: false });
    return () => {
      input.unpipe(this.#terminal);
      input.resume();
    };
  }

  [Symbol.dispose](): void {
    this.#terminal.destroy();
  }

  #write(piece: Buffer): void {
    try {
      this.#log.append("stdout", piece);
    } catch (error) {
      this.#options.onRefusal(error);
    }
    for (const listener of this.#listeners) listener("stdout", piece);
  }
}
