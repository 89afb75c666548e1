import type { Ip } from "#addr/ip";
import { Fault } from "#fault/fault";
import type { Netlink } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import { missingFamily, type Networks, overlapWarnings, primaryFirst } from "./config/check-networks.ts";
import type { NodeConfig } from "./config/config.ts";
import { checkFlannelIface } from "./flannel-iface.ts";
import { findNodeIps } from "./node-address.ts";

/** The addresses the node was told or, if none, those of its interface. @throws {Fault} BadInterface, NoAddress */
export function ownNodeIps(netlink: Netlink, { ips, fabric }: Pick<NodeConfig, "ips" | "fabric">) {
  if (fabric.iface !== undefined) checkFlannelIface(netlink, fabric.iface, { hasNodeIp: ips !== undefined });
  return ips ?? findNodeIps(netlink, fabric.iface);
}

/** The same, the one of the cluster's primary family first. Those that were told have to fit the cluster; those that were found
 *  may still come, and until then the family stands still. @throws {Fault} BadConfig */
export function fitNodeIps(
  nodeIps: readonly Ip[],
  { node, networks, log }: { node: Pick<NodeConfig, "ips">; networks: Networks; log: Logger },
): readonly Ip[] {
  const missing = missingFamily(nodeIps, networks.clusterCidrs);
  if (missing !== undefined && node.ips !== undefined)
    throw new Fault("BadConfig", `Cannot be a node of this cluster: --node-ip: ${missing}`);
  if (missing !== undefined) log.warn(`this machine's address ${missing}`);
  for (const warning of overlapWarnings("node-ip", nodeIps, networks)) log.warn(warning);
  return primaryFirst(nodeIps, networks.clusterCidrs);
}
