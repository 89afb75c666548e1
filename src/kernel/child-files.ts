import type { ChildProcess } from "node:child_process";
import * as libc from "./ffi/libc.ts";

const O_WRONLY = 1;

/** What a new process will have open, by number, and what this one opened only to start it. */
export class ChildFiles implements Disposable {
  readonly #list: (number | "pipe" | undefined)[];
  readonly #given: number;
  readonly #opened: number[] = [];

  /** `undefined` is /dev/null. */
  constructor(stdio: readonly (number | "pipe" | undefined)[]) {
    this.#list = [...stdio];
    this.#given = stdio.length;
  }

  get list(): readonly (number | "pipe" | undefined)[] {
    return this.#list;
  }

  /** The number the next one gets. */
  get count(): number {
    return this.#list.length;
  }

  /** Numbers that the launcher has and its program is not to have: also the launcher's own executable. */
  get launcherOnly(): readonly number[] {
    return Array.from({ length: this.count + 1 - this.#given }, (_, i) => this.#given + i);
  }

  /** @returns the number in the new process */
  add(file: number | "pipe"): number {
    return this.#list.push(file) - 1;
  }

  /** Opens `path` for reading here and now. @returns the number in the new process */
  open(path: string): number {
    return this.add(this.here(path));
  }

  openToWrite(paths: readonly string[]): readonly number[] {
    return paths.map((path) => this.add(this.#keep(libc.open(path, O_WRONLY | libc.O_CLOEXEC))));
  }

  /** Opens `path` for this process alone. */
  here(path: string): number {
    return this.#keep(libc.open(path, libc.O_RDONLY | libc.O_CLOEXEC));
  }

  [Symbol.dispose](): void {
    for (const fd of this.#opened.splice(0)) libc.close(fd);
  }

  #keep(fd: number): number {
    this.#opened.push(fd);
    return fd;
  }
}

/** All that comes from one of the pipes to a new process, until it is closed there. */
export function readAll(child: ChildProcess, number: number): Promise<Buffer> {
  const stream = child.stdio[number];
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    if (!stream) return reject(new Error("broken invariant: a pipe was asked for"));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("error", reject);
    stream.once("close", () => resolve(Buffer.concat(chunks)));
  });
}
