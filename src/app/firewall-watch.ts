import { familyOf, formatIp, type Ip, ipToBits, isIp, parseIp } from "#addr/ip";
import type { FirewallNode } from "#fabric/firewall/needs";
import { FirewallWatch } from "#fabric/firewall/watch";
import type { FabricBackend } from "#fabric/model";
import type { ClusterConfig } from "#join/cluster-config";
import type { Kernel } from "#kernel/kernel";
import type { Node } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { NodeConfig } from "./config/config.ts";

const KUBELET_PORT = 10_250;
const DEFAULT_HTTPS_PORT = 443;
const LOOPBACK = ["127.0.0.1", "::1", "localhost"];

/** Watches this machine's own packet filters for what the cluster needs, whoever carries the pods' packets. */
export function openFirewallWatch(options: {
  readonly kernel: Kernel;
  readonly node: NodeConfig;
  readonly nodeIps: () => readonly Ip[];
  readonly cluster: ClusterConfig;
  readonly serverUrl: string;
  /** Undefined where somebody else's network carries them. */
  readonly backend: FabricBackend | undefined;
  readonly nodes: Informer<Node>;
  readonly clock: Clock;
  readonly log: Logger;
}): FirewallWatch {
  const { kernel, node, cluster, backend, nodes, clock } = options;
  return new FirewallWatch({
    kernel,
    clock,
    log: options.log.child({ room: "fabric" }),
    node: (): FirewallNode => {
      const nodeIps = options.nodeIps();
      return {
        clusterCidrs: cluster.clusterCidrs,
        serviceCidrs: cluster.serviceCidrs,
        nodeIps,
        peerIps: peersOf(nodes, node.name),
        iface: node.fabric.iface,
        backend,
        apiPort: ownApiPort(options.serverUrl, nodeIps),
        kubeletPort: KUBELET_PORT,
      };
    },
  });
}

/** Addresses that other nodes say they have; anything else that stands there is passed over. */
function peersOf(nodes: Informer<Node>, own: string): readonly Ip[] {
  const addresses = nodes
    .list()
    .filter(({ metadata }) => metadata.name !== own)
    .flatMap(({ status }) => status?.addresses ?? [])
    .filter(({ type, address }) => type === "InternalIP" && isIp(address))
    .map(({ address }) => parseIp(address));
  return [...new Set(addresses)].sort();
}

/** The API's port, where the server this node joined is this node. */
function ownApiPort(serverUrl: string, nodeIps: readonly Ip[]): number | undefined {
  const { hostname, port } = new URL(serverUrl);
  const host = hostname.replace(/^\[|\]$/g, "");
  const ip = isIp(host) ? formatIp(familyOf(host), ipToBits(host)) : undefined;
  const isHere = LOOPBACK.includes(host) || (ip !== undefined && nodeIps.includes(ip));
  return isHere ? Number(port || DEFAULT_HTTPS_PORT) : undefined;
}
