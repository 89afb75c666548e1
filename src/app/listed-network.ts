import { join } from "node:path";
import { installList, PLUGIN_TYPE, type PluginFolders } from "#cni/plugin/install";
import { DEFAULT_SOCKET, servePlugin } from "#cni/plugin/serve";
import { openCniRuntime } from "#cni/runtime/open";
import type { FabricReady } from "#fabric/model";
import type { Clock } from "#life/clock";
import type { PodNetwork } from "#node/network";
import type { Logger } from "#telemetry/log";
import { removeCniPlugin } from "./cni-plugin.ts";
import type { NodeConfig } from "./config/config.ts";
import { ownFolders, type SettledChoice } from "./container-runtime.ts";
import { onlyLookedAt } from "./foreign-network.ts";
import type { Life } from "./life.ts";
import type { PodNetworkFollower } from "./pod-network.ts";

export interface ListedNetworkOptions {
  readonly node: NodeConfig;
  readonly cniConf: NonNullable<NodeConfig["fabric"]["cniConf"]>;
  readonly runtime: SettledChoice;
  readonly program: Life["program"];
  /** Twill's own network, for lists that use it. */
  readonly own: () => PodNetworkFollower;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The pods' network of a list of somebody's own (`--flannel-cni-conf`), which wires pods to the fabric by other plugins. */
export interface ListedNetwork {
  readonly network: PodNetwork;
  /** Runtimes find the list when the fabric stands, as they can use it no sooner. */
  follow(ready: FabricReady): void;
  readonly kept: Promise<void>;
}

export function openListedNetwork(options: ListedNetworkOptions): ListedNetwork {
  const { node, cniConf, runtime, program, clock, signal } = options;
  const log = options.log.child({ room: "cni" });
  const folders = foldersOf(node, runtime);
  // Of a time when there was no list: it would lead other runtimes past this one.
  if (runtime.kind !== "endpoint") removeCniPlugin(node);
  const own = cniConf.text.includes(PLUGIN_TYPE) ? options.own() : undefined;
  const { binDirs } = node.cni;
  const network = openCniRuntime({
    confDir: folders.confDir,
    binDirs: [folders.binDir, ...binDirs],
    cacheDir: "/var/lib/cni",
    clock,
    log,
    signal,
  });
  const source = { dir: join(program.root, "bin/cni"), node: program.node };
  const served = servePlugin({ socketPath: DEFAULT_SOCKET, network: () => own?.current, log, signal });
  return {
    network: runtime.kind === "process" ? network : onlyLookedAt(network),
    follow: (ready) => {
      own?.follow(ready);
      const files = { ...folders, socketPath: DEFAULT_SOCKET };
      installList(files, source, { text: cniConf.text, otherBinDirs: binDirs });
    },
    kept: Promise.all([served, own?.keep({ clock, signal })]).then(() => {}),
  };
}

/** K3s's, unless the runtime is somebody else's, who looks where the specification's users agree to. */
function foldersOf({ dataDir, cni }: NodeConfig, runtime: SettledChoice): PluginFolders {
  if (runtime.kind !== "endpoint") return ownFolders(dataDir);
  return { binDir: cni.binDirs[0] ?? "/opt/cni/bin", confDir: cni.confDir };
}
