import { join } from "node:path";
import type { Clock } from "#life/clock";
import { openContainerd } from "#node/containerd/open";
import { findPrograms } from "#node/containerd/version";
import { openCriRuntime } from "#node/runtime/cri/open";
import type { Runtime } from "#node/runtime/runtime";
import type { Logger } from "#telemetry/log";
import type { NodeConfig, RuntimeChoice } from "./config/config.ts";

export interface ContainerRuntimeOptions {
  readonly node: NodeConfig;
  readonly imagesDir: string;
  /** Where a containerd of our own finds the pod network. */
  readonly cni: { readonly binDir: string; readonly confDir: string };
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What was chosen, with `found` decided: containerd where all of it is installed. */
export function settleRuntime(choice: RuntimeChoice): Exclude<RuntimeChoice, { kind: "found" }> {
  if (choice.kind !== "found") return choice;
  return { kind: findPrograms(process.env["PATH"] ?? "").kind === "found" ? "containerd" : "process" };
}

/** The runtime behind a socket, ours or somebody else's, once it answers; undefined leaves it to processes. `ended` settles when
 *  nobody looks after it any more. @throws {Fault} "NoContainerd" and the like */
export async function openContainerRuntime(
  choice: ReturnType<typeof settleRuntime>,
  options: ContainerRuntimeOptions,
): Promise<{ readonly runtime: Runtime | undefined; readonly ended: Promise<void> }> {
  const { node, clock, log, signal } = options;
  const stateDir = join(node.dataDir, "agent/cri");
  const connect = (endpoint: string) => openCriRuntime({ endpoint, stateDir, clock, log, signal });
  switch (choice.kind) {
    case "process":
      return { runtime: undefined, ended: Promise.resolve() };
    case "endpoint":
      return { runtime: await connect(choice.socket), ended: Promise.resolve() };
    case "containerd": {
      const { dataDir } = node;
      const containerd = await openContainerd({ ...options, dataDir, env: process.env });
      return { runtime: await connect(containerd.endpoint), ended: containerd.ended };
    }
    default:
      return choice satisfies never;
  }
}
