import { openCniRuntime } from "#cni/runtime/open";
import { keepForwarding } from "#fabric/keep-forwarding";
import type { ClusterConfig } from "#join/cluster-config";
import type { Kernel } from "#kernel/kernel";
import type { Clock } from "#life/clock";
import type { PodNetwork } from "#node/network";
import type { Logger } from "#telemetry/log";
import { removeCniPlugin } from "./cni-plugin.ts";
import type { NodeConfig } from "./config/config.ts";

/** The pods' network of a cluster that brings its own (`--flannel-backend=none`): whatever this node's CNI configuration says. */
export function openForeignNetwork(options: {
  readonly kernel: Kernel;
  readonly node: NodeConfig;
  readonly cluster: ClusterConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): { readonly network: PodNetwork; readonly kept: Promise<void> } {
  const { kernel, node, cluster, clock, log, signal } = options;
  const { confDir, binDirs } = node.cni;
  // Of a time when the cluster had a network of its own: its list would come first, and nobody would answer.
  removeCniPlugin(node);
  const common = { clock, log: log.child({ room: "cni" }), signal };
  return {
    network: openCniRuntime({ confDir, binDirs, cacheDir: "/var/lib/cni", ...common }),
    kept: keepForwarding({ kernel, clusterCidrs: cluster.clusterCidrs, ...common }),
  };
}
