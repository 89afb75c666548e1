import { join } from "node:path";
import { installPlugin } from "#cni/plugin/install";
import { DEFAULT_SOCKET } from "#cni/plugin/serve";
import { explain } from "#fault/fault";
import type { Clock } from "#life/clock";
import { openContainerd } from "#node/containerd/open";
import { findPrograms } from "#node/containerd/version";
import { type CriRuntimeOptions, openCriRuntime } from "#node/runtime/cri/open";
import type { Runtime } from "#node/runtime/runtime";
import type { Logger } from "#telemetry/log";
import type { NodeConfig, RuntimeChoice } from "./config/config.ts";
import type { Life } from "./life.ts";

export interface ContainerRuntimeOptions {
  readonly node: NodeConfig;
  readonly imagesDir: string;
  readonly program: Life["program"];
  /** Settles once Twill's pods' network is there; undefined where the network is somebody else's. */
  readonly network: unknown;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export type SettledChoice = Exclude<RuntimeChoice, { kind: "found" }>;

/** What was chosen, with `found` decided: containerd where all of it is installed. */
export function settleRuntime(choice: RuntimeChoice): SettledChoice {
  if (choice.kind !== "found") return choice;
  return { kind: findPrograms(process.env["PATH"] ?? "").kind === "found" ? "containerd" : "process" };
}

/** The runtime behind a socket, ours or somebody else's, once it answers; undefined leaves it to processes. `ended` settles when
 *  nobody looks after it any more. @throws {Fault} "NoContainerd" and the like */
export async function openContainerRuntime(
  choice: SettledChoice,
  options: ContainerRuntimeOptions,
): Promise<{ readonly runtime: Runtime | undefined; readonly ended: Promise<void> }> {
  const { node, clock, log, signal } = options;
  const stateDir = join(node.dataDir, "agent/cri");
  const connect = (endpoint: string, images: Pick<CriRuntimeOptions, "preloaded" | "pinned"> = {}) =>
    openCriRuntime({ endpoint, stateDir, ...images, clock, log, signal });
  switch (choice.kind) {
    case "process":
      return { runtime: undefined, ended: Promise.resolve() };
    case "endpoint":
      return { runtime: await connect(choice.socket), ended: Promise.resolve() };
    case "containerd": {
      const { dataDir, registriesFile } = node;
      const cni = options.network === undefined ? undefined : ownFolders(dataDir);
      // A list of somebody's own is put there by whoever has it.
      if (cni && node.fabric.cniConf === undefined) void installWhenNetworked(cni, options);
      const containerd = await openContainerd({ ...options, dataDir, registriesFile, cni, env: process.env });
      const { endpoint, ended, preloaded, pinnedImages: pinned } = containerd;
      return { runtime: await connect(endpoint, { preloaded, pinned }), ended };
    }
    default:
      return choice satisfies never;
  }
}

/** K3s's: nobody else's network comes between ours and a containerd of our own. */
export function ownFolders(dataDir: string) {
  return { binDir: join(dataDir, "data/cni"), confDir: join(dataDir, "agent/etc/cni/net.d") };
}

/** Our containerd says that pods cannot be wired until it finds a network, so it finds one no sooner than they can. */
async function installWhenNetworked(
  folders: ReturnType<typeof ownFolders>,
  { network, program, log }: ContainerRuntimeOptions,
): Promise<void> {
  try {
    await network;
    const source = { dir: join(program.root, "bin/cni"), node: program.node };
    installPlugin({ ...folders, socketPath: DEFAULT_SOCKET }, source);
  } catch (error) {
    log.error("the pods' network cannot be given to containerd", { error: explain(error) });
  }
}
