import { join } from "node:path";
import { installPlugin, type PluginFolders, uninstallPlugin } from "#cni/plugin/install";
import { DEFAULT_SOCKET, servePlugin } from "#cni/plugin/serve";
import { asError, explain } from "#fault/fault";
import type { Logger } from "#telemetry/log";
import type { NodeConfig } from "./config/config.ts";
import type { Life } from "./life.ts";
import type { PodNetworkFollower } from "./pod-network.ts";

export interface CniPluginOptions extends Pick<Life, "log" | "signal" | "program"> {
  readonly node: Pick<NodeConfig, "cni">;
}

/** Other people's runtimes reach this node's network through the executable, until aborted. It is installed once somebody
 *  answers and the network is there. Where its folders cannot be written, the agent's own pods do without. */
export async function runCniPlugin(network: PodNetworkFollower, options: CniPluginOptions): Promise<void> {
  const log = options.log.child({ room: "cni" });
  network.opened.then(() => install(options, log)).catch((error: unknown) => log.error(explain(error)));
  await servePlugin({
    socketPath: DEFAULT_SOCKET,
    network: () => network.current,
    log,
    signal: options.signal,
  });
}

/** Nobody will answer here: the executable and its network go. */
export function removeCniPlugin({ cni }: Pick<NodeConfig, "cni">): void {
  uninstallPlugin(foldersOf(cni));
}

function install({ node, program }: CniPluginOptions, log: Logger): void {
  const folders = foldersOf(node.cni);
  const source = { dir: join(program.root, "bin/cni"), node: program.node };
  try {
    const plugin = installPlugin({ ...folders, socketPath: DEFAULT_SOCKET }, source);
    log.info("other runtimes can use this node's network", { plugin, networks: folders.confDir });
  } catch (thrown) {
    log.warn("could not install the CNI plugin; other runtimes cannot use this node's network", {
      error: asError(thrown),
    });
  }
}

/** Where the specification's users agree to look. */
function foldersOf({ confDir, binDirs }: NodeConfig["cni"]): PluginFolders {
  return { binDir: binDirs[0] ?? "/opt/cni/bin", confDir };
}
