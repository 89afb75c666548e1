/** What the kernel itself keeps on behalf of processes: it is counted in their control group, and nowhere else by owner. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FIRST = "/sys/fs/cgroup/memory";
const SECOND = "/sys/fs/cgroup";
const TRIES = 200;
const BETWEEN_MS = 10;
let made = 0;

/** A group of its own. Where there is none to be had, nothing is counted. */
export class KernelMemory implements Disposable {
  readonly #directory: string | undefined;
  readonly #isFirst = existsSync(join(FIRST, "memory.kmem.usage_in_bytes"));

  constructor() {
    const root = this.#isFirst ? FIRST : SECOND;
    const directory = join(root, `twill-bench-${process.pid}-${made++}`);
    try {
      mkdirSync(directory);
      this.#directory = directory;
    } catch {
      this.#directory = undefined;
    }
  }

  /** It and what it starts from now on count here. */
  take(pid: number): void {
    if (this.#directory) writeFileSync(join(this.#directory, "cgroup.procs"), String(pid));
  }

  /** Before a command's own words: it counts here from its start. */
  words(): readonly string[] {
    if (this.#directory === undefined) return [];
    return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', join(this.#directory, "cgroup.procs")];
  }

  /** NaN where it is not counted. */
  mib(): number {
    if (this.#directory === undefined) return Number.NaN;
    if (this.#isFirst)
      return Number(readFileSync(join(this.#directory, "memory.kmem.usage_in_bytes"), "utf8")) / 2 ** 20;
    const [, bytes] =
      /^kernel (\d+)$/m.exec(readFileSync(join(this.#directory, "memory.stat"), "utf8")) ?? [];
    return Number(bytes) / 2 ** 20;
  }

  /** Its processes have been told to end by then; what they started may take a moment longer. What is left the sweep of the tests
   *  removes. */
  [Symbol.dispose](): void {
    for (let tries = 0; this.#directory && tries < TRIES; tries++) {
      try {
        rmdirSync(this.#directory);
        return;
      } catch {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BETWEEN_MS);
      }
    }
  }
}
