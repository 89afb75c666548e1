import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Behaviour, RegistrySettings } from "../../../containerd/testing/registry.ts";

const PROGRAM = fileURLToPath(new URL("../../../containerd/testing/registry.ts", import.meta.url));

/** A registry on the loopback of a network namespace. */
export class Registry implements Disposable {
  /** What it was asked, in order: `GET /v2/app/manifests/1`. */
  readonly asked: string[] = [];
  readonly #process: ChildProcess;
  readonly #replies: (() => void)[] = [];

  private constructor(netns: string, settings: RegistrySettings) {
    const args = [`--net=/run/netns/${netns}`, process.execPath, PROGRAM, JSON.stringify(settings)];
    this.#process = spawn("nsenter", args, { stdio: ["pipe", "pipe", "inherit"] });
    if (!this.#process.stdout) throw new Error("broken invariant: the output is a pipe");
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      if (line === "listens" || line === "behaves") this.#replies.shift()?.();
      else this.asked.push(line);
    });
  }

  static async open(netns: string, settings: RegistrySettings): Promise<Registry> {
    const registry = new Registry(netns, settings);
    await new Promise<void>((resolve) => registry.#replies.push(resolve));
    return registry;
  }

  /** Resolves once it does. */
  async behave(behaviour: Behaviour): Promise<void> {
    const done = new Promise<void>((resolve) => this.#replies.push(resolve));
    this.#process.stdin?.write(`${JSON.stringify(behaviour)}\n`);
    await done;
  }

  [Symbol.dispose](): void {
    this.#process.kill("SIGKILL");
  }
}
