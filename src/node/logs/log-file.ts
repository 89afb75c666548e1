import { closeSync, fstatSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { encodeLog, formatLogTime, type LogStream } from "./line.ts";
import { DEFAULT_LIMITS, type RotationLimits, turnOver } from "./rotation.ts";

/** A container's log file, appended to and turned over when it is full. Every write reaches the kernel before it returns. */
export class LogFile implements Disposable {
  readonly #path: string;
  readonly #limits: RotationLimits;
  #fd: number;
  #bytes: number;

  constructor(path: string, limits: RotationLimits = DEFAULT_LIMITS) {
    this.#path = path;
    this.#limits = limits;
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    this.#fd = openSync(path, "a", 0o640);
    this.#bytes = fstatSync(this.#fd).size;
  }

  append(stream: LogStream, chunk: Buffer): void {
    const bytes = encodeLog(
      stream,
      chunk,
      formatLogTime((performance.timeOrigin + performance.now()) * 1000),
    );
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#limits.maxBytes)
      turnOver(this.#path, this.#limits, () => this.reopen());
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    this.#bytes += bytes.length;
  }

  /** Goes on in a new file at the same path. */
  reopen(): void {
    const fd = openSync(this.#path, "a", 0o640);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#bytes = fstatSync(fd).size;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
