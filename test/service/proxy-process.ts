import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ObjectChange, ProxyOrder, ProxyReply } from "./proxy-child.ts";

const CHILD = fileURLToPath(new URL("./proxy-child.ts", import.meta.url));

/** A proxy that can be killed: see `proxy-child.ts`. */
export class ProxyProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: ProxyReply) => void>();
  #orders = 0;
  /** Told when its first round is over. */
  readonly started: Promise<ProxyReply>;

  /** @param netns the name of a network namespace, as `ip netns` has it */
  constructor(netns: string, objects: readonly ObjectChange[]) {
    this.#child = spawn("ip", ["netns", "exec", netns, process.execPath, CHILD], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdout } = this.#child;
    if (!stdout) throw new Error("broken invariant: a pipe was asked for");
    createInterface({ input: stdout }).on("line", (line) => {
      const reply = JSON.parse(line) as ProxyReply;
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
    // Killed while it is being told something.
    this.#child.stdin?.on("error", () => {});
    this.started = new Promise((resolve) => this.#waiting.set(0, resolve));
    this.change(objects);
    this.#tell({ do: "start" });
  }

  change(changes: readonly ObjectChange[]): void {
    this.#tell({ do: "change", changes });
  }

  /** Resolves when everything it was told is in the kernel. */
  settle(): Promise<ProxyReply> {
    const id = ++this.#orders;
    const reply = new Promise<ProxyReply>((resolve) => this.#waiting.set(id, resolve));
    this.#tell({ do: "settle", id });
    return reply;
  }

  /** As by the kernel when memory is short: wherever it is. */
  async kill(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, "exit");
    this.#child.stdin?.end();
    await gone;
  }

  #tell(order: ProxyOrder): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }
}
