import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { encodeLog, formatLogTime, type LogStream } from "./line.ts";
import { DEFAULT_LIMITS, type RotationLimits, turnedName } from "./rotation.ts";

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
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#limits.maxBytes) this.#rotate();
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

  /** Readers that hold the old file read it to its end; `0.log` is then a new one. */
  #rotate(): void {
    renameSync(this.#path, turnedName(this.#path, new Date()));
    this.reopen();
    const prefix = `${basename(this.#path)}.`;
    const turned = readdirSync(dirname(this.#path)).filter((name) => name.startsWith(prefix));
    for (const name of turned.sort().slice(0, Math.max(0, turned.length - this.#limits.maxFiles + 1)))
      rmSync(join(dirname(this.#path), name), { force: true });
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
