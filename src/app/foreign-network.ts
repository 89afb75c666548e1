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
  /** False where the container runtime calls the plugins itself: then the network is only looked at. */
  readonly wiresPods: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): { readonly network: PodNetwork; readonly kept: Promise<void> } {
  const { kernel, node, cluster, clock, log, signal } = options;
  const { confDir, binDirs } = node.cni;
  for (const [flag, given] of [
    ["--flannel-conf", node.fabric.netConf],
    ["--flannel-cni-conf", node.fabric.cniConf],
  ] as const)
    if (given) log.warn(`${flag} ${given.file} is not used: the cluster has --flannel-backend=none`);
  // Of a time when the cluster had a network of its own: its list would come first, and nobody would answer.
  removeCniPlugin(node);
  const common = { clock, log: log.child({ room: "cni" }), signal };
  const network = openCniRuntime({ confDir, binDirs, cacheDir: "/var/lib/cni", ...common });
  return {
    network: options.wiresPods ? network : onlyLookedAt(network),
    kept: keepForwarding({ kernel, clusterCidrs: cluster.clusterCidrs, ...common }),
  };
}

/** What is attached is somebody else's to take back. */
export function onlyLookedAt(network: PodNetwork): PodNetwork {
  return {
    add: (request) => network.add(request),
    remove: async () => {},
    collect: async () => {},
    complaint: () => network.complaint(),
    subscribe: (listener) => network.subscribe(listener),
  };
}
