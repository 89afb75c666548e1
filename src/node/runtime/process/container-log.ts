import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { DEFAULT_LIMITS, type RotationLimits, turnOver } from "../../logs/rotation.ts";

/** Whose step is open, the log's size before it, and how much it adds: 8 bytes each. */
const STEP_BYTES = 24;

/** A container's log file, to which text is added in steps that an agent may be killed in: the next one sees from the step's file
 *  and the log's size whether the last step was made, and undoes half of one. Turned over when it is full. */
export class ContainerLog implements Disposable {
  readonly #path: string;
  readonly #limits: RotationLimits;
  readonly #step: number;
  #fd: number;
  #size: number;
  #isHalfWritten = false;

  constructor(path: string, stepPath: string, limits: RotationLimits = DEFAULT_LIMITS) {
    this.#path = path;
    this.#limits = limits;
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    this.#fd = openSync(path, "a", 0o640);
    this.#size = fstatSync(this.#fd).size;
    this.#step = openSync(stepPath, "a+", 0o600);
    closeSync(this.#step);
    this.#step = openSync(stepPath, "r+");
    if (fstatSync(this.#step).size < STEP_BYTES) this.#note(0, 0, 0); // now, while there is room for it
  }

  /** Whose text was being added when the last agent ended and is in the log; half of one is taken out again. */
  settle(): number | undefined {
    const step = Buffer.alloc(STEP_BYTES);
    readSync(this.#step, step, 0, STEP_BYTES, 0);
    const [owner, before, bytes] = [0, 8, 16].map((at) => Number(step.readBigUInt64LE(at)));
    if (!owner || before === undefined || bytes === undefined || this.#size < before) return undefined;
    if (this.#size >= before + bytes) return owner;
    this.#cut(before);
    return undefined;
  }

  /** Adds all of `text`. When the file system refuses, which is thrown, what was added is taken out again by the next call, or by the
   *  next agent. Until `closeStep` `settle` tells its owner, from 1 on. */
  add(text: Buffer, owner: number): void {
    if (this.#size > 0 && this.#size + text.length > this.#limits.maxBytes)
      turnOver(this.#path, this.#limits, () => this.reopen());
    if (this.#isHalfWritten) this.#cut(this.#size);
    this.#note(owner, this.#size, text.length);
    this.#isHalfWritten = true;
    for (let at = 0; at < text.length; ) at += writeSync(this.#fd, text, at);
    this.#isHalfWritten = false;
    this.#size += text.length;
  }

  /** Says that what was added is nowhere else any more. */
  closeStep(): void {
    this.#note(0, 0, 0);
  }

  /** Goes on in a new file at the same path. */
  reopen(): void {
    if (this.#isHalfWritten) this.#cut(this.#size);
    const fd = openSync(this.#path, "a", 0o640);
    closeSync(this.#fd);
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    closeSync(this.#step);
  }

  #note(owner: number, before: number, bytes: number): void {
    const step = Buffer.alloc(STEP_BYTES);
    for (const [i, value] of [owner, before, bytes].entries()) step.writeBigUInt64LE(BigInt(value), i * 8);
    writeSync(this.#step, step, 0, STEP_BYTES, 0);
  }

  #cut(size: number): void {
    ftruncateSync(this.#fd, size);
    this.#size = size;
    this.#isHalfWritten = false;
  }
}
