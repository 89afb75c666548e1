/** Agents as processes of their own, so that a test can kill them: `agent-process.ts`. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cidr } from "#addr/cidr";
import type { FabricBackend } from "#fabric/model";
import type { Node } from "#kube/generated/types";
import type { AgentReport, AgentSpec } from "./agent-process.ts";
import type { Machine } from "./machines.ts";

const FILE = fileURLToPath(new URL("./agent-process.ts", import.meta.url));

export class AgentChild implements AsyncDisposable {
  readonly #process: ChildProcess;
  /** What it found to do until its half of the network stood. */
  readonly report: Promise<AgentReport>;
  /** What its own Node says, by its last word. */
  annotations: Readonly<Record<string, string>> = {};

  private constructor(process: ChildProcess) {
    this.#process = process;
    const { promise, resolve } = Promise.withResolvers<AgentReport>();
    this.report = promise;
    process.on("message", (message: AgentReport | { readonly annotations: Record<string, string> }) => {
      if ("annotations" in message) this.annotations = message.annotations;
      else resolve(message);
    });
  }

  /** It runs, and nothing more is known. */
  static spawn(
    machine: Machine,
    nodes: readonly Node[],
    backend?: FabricBackend,
    cluster?: readonly Cidr[],
  ): AgentChild {
    const { name, ips, families, dir, path } = machine;
    const spec: AgentSpec = {
      name,
      ips,
      families,
      dir,
      nodes,
      ...(backend && { backend }),
      ...(cluster && { cluster }),
    };
    const file = join(dir, "spec.json");
    writeFileSync(file, JSON.stringify(spec));
    const args = ["netns", "exec", basename(path), process.execPath, FILE, file];
    return new AgentChild(spawn("ip", args, { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** From now on these are all Nodes there are. */
  tell(nodes: readonly Node[]): void {
    this.#process.send({ nodes });
  }

  /** As the kernel kills what takes too much memory: at once, wherever it is. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
