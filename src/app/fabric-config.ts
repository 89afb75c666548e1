/** What a node's fabric works by: the cluster's settings, and this node's own where it has some. */
import { join } from "node:path";
import { cidrFamily } from "#addr/cidr";
import type { PerFamily } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { FabricConfig, Masquerade } from "#fabric/model";
import { formatNetConf, type NetConf, readNetConf } from "#fabric/net-conf";
import { Fault } from "#fault/fault";
import type { ClusterConfig } from "#join/cluster-config";
import { writeFileAtomic } from "#join/file";
import type { Logger } from "#telemetry/log";
import type { NodeConfig } from "./config/config.ts";
import { BACKEND_KIND, matchNetConf } from "./config/match-net-conf.ts";

export interface FabricOfNode {
  readonly node: Pick<NodeConfig, "dataDir" | "externalIps" | "fabric">;
  readonly nodeIps: readonly Ip[];
  readonly cluster: ClusterConfig;
  readonly log: Logger;
}

/** Settles it, says what may not have been meant, and leaves flannel's file where K3s does. @throws {Fault} BadConfig */
export function settleFabricConfig({ node, nodeIps, cluster, log }: FabricOfNode): FabricConfig {
  const { networks, backend } = node.fabric.netConf
    ? ownNetConf(node.fabric.netConf, cluster, log)
    : writtenNetConf(node.dataDir, cluster);
  for (const warning of externalIpWarnings(node, cluster)) log.warn(warning);
  return {
    clusterCidrs: cluster.clusterCidrs.flatMap((cidr) => networks[cidrFamily(cidr)] ?? []),
    nodeIps,
    ...(node.fabric.iface === undefined ? {} : { iface: node.fabric.iface }),
    publicIps: cluster.flannelExternalIp ? node.externalIps : [],
    backend,
    wireguardKey: { path: join(node.dataDir, "agent/flannel/wgkey"), inherited: "/run/flannel/wgkey" },
    guard: node.fabric.guard,
    masquerade: masqueradeOf(cluster),
    subnetFile: "/run/flannel/subnet.env",
    probe: { offload: "auto", stateFile: join(node.dataDir, "agent/fabric/offload.json") },
  };
}

/** K3s: IPv4 always, IPv6 when asked. */
function masqueradeOf({ flannelIpv6Masq }: ClusterConfig): PerFamily<Masquerade> {
  return { 4: "fully-random", ...(flannelIpv6Masq ? { 6: "fully-random" } : {}) };
}

function ownNetConf(
  own: { readonly file: string; readonly conf: NetConf },
  cluster: ClusterConfig,
  log: Logger,
): NetConf {
  const { problems, warnings } = matchNetConf(own, cluster);
  for (const warning of warnings) log.warn(`--flannel-conf: ${warning}`);
  if (problems.length > 0)
    throw new Fault("BadConfig", `Cannot use --flannel-conf in this cluster: ${problems.join("; ")}`);
  return own.conf;
}

/** What is written is what is read, so that the file says what the node does. */
function writtenNetConf(dataDir: string, { clusterCidrs, flannelBackend }: ClusterConfig): NetConf {
  if (flannelBackend === "none") throw new Error("broken invariant: no fabric without a backend");
  const file = join(dataDir, "agent/etc/flannel/net-conf.json");
  const text = formatNetConf(clusterCidrs, BACKEND_KIND[flannelBackend]);
  const reading = readNetConf(text, file);
  if (reading.kind === "bad") throw new Fault("BadConfig", reading.problems.join("; "));
  writeFileAtomic(file, text, 0o644);
  return reading.conf;
}

/** What `--flannel-external-ip` needs and does not have. */
export function externalIpWarnings(
  { externalIps }: Pick<NodeConfig, "externalIps">,
  {
    flannelExternalIp,
    flannelBackend,
    clusterCidrs,
  }: Pick<ClusterConfig, "flannelExternalIp" | "flannelBackend" | "clusterCidrs">,
): readonly string[] {
  if (!flannelExternalIp) return [];
  const warnings: string[] = [];
  if (externalIps.length === 0)
    warnings.push(
      "--flannel-external-ip: this node has no --node-external-ip, so others reach it at its node address",
    );
  const families = new Set(externalIps.map(familyOf));
  const without =
    externalIps.length === 0 ? [] : clusterCidrs.map(cidrFamily).filter((each) => !families.has(each));
  for (const family of without)
    warnings.push(
      `--flannel-external-ip: --node-external-ip has no IPv${family} address, so others reach this node's IPv${family} at its node address`,
    );
  if (flannelBackend !== "wireguard-native")
    warnings.push(
      `--flannel-external-ip: with --flannel-backend=${flannelBackend} pods' packets cross the outer network unencrypted; use wireguard-native`,
    );
  return warnings;
}
