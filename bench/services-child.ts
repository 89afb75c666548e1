import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { KernelMemory } from "./services-memory.ts";
import type { Order, Outcome } from "./services-process.ts";

const FILE = fileURLToPath(new URL("./services-process.ts", import.meta.url));
/** As the launcher starts the program, and a way to weigh what is really held. */
const FLAGS = ["--max-semi-space-size=4", "--heap-growing-percent=50", "--expose-gc"];

/** Our service plane in a process and a network namespace of its own. */
export class ServicesChild implements AsyncDisposable {
  readonly #process: ChildProcess;

  /** What the kernel keeps for it counts in `memory`. */
  constructor(netns: string, memory?: KernelMemory) {
    const args = ["netns", "exec", netns, process.execPath, ...FLAGS, FILE];
    this.#process = spawn("ip", args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, MALLOC_ARENA_MAX: "2" },
    });
    memory?.take(this.#process.pid ?? 0);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async tell(order: Order): Promise<Outcome> {
    const gone = once(this.#process, "exit").then(([code]) => {
      throw new Error(`the service plane's process ended with ${code}`);
    });
    gone.catch(() => {});
    this.#process.send(order);
    const [outcome] = (await Promise.race([once(this.#process, "message"), gone])) as [Outcome];
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.disconnect();
    await gone;
  }
}
