/** The cluster's Nodes as places where packets enter, and addresses as clients. */
import { type Cidr, containsIp, parseCidr } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import type { Node } from "#kube/generated/types";
import type { Place, ServiceConfig } from "../model.ts";
import { nodeIpsOf } from "../surroundings.ts";
import type { ClientKind } from "./model.ts";

const ZONE = "topology.kubernetes.io/zone";

/** Where routing happens: this node as it is, the others as their Nodes tell of them. This node comes first. */
export function placesOf(nodes: readonly Node[], here: Place): readonly Place[] {
  const others = nodes.filter(({ metadata }) => metadata.name !== here.nodeName);
  return [
    here,
    ...others.map((node): Place => {
      const ips = nodeIpsOf(node);
      const zone = node.metadata.labels?.[ZONE];
      return { nodeName: node.metadata.name ?? "", zone, localIps: ips, nodeIps: ips, nodePortIps: ips };
    }),
  ];
}

/** Whose address it is. */
export interface Client {
  readonly kind: ClientKind;
  /** Of a node, or of a pod's node. */
  readonly node?: string;
}

/** Who has the address, as seen at the node `at`. */
export function clientOf(
  ip: Ip,
  { nodes, config, at }: { nodes: readonly Node[]; config: Pick<ServiceConfig, "localPods">; at: Place },
): Client {
  if (at.localIps.includes(ip)) return { kind: "this-node", node: at.nodeName };
  const owner = nodes.find((node) => nodeIpsOf(node).includes(ip))?.metadata.name;
  if (owner !== undefined) return { kind: owner === at.nodeName ? "this-node" : "other-node", node: owner };
  const host = nodes.find((node) => podCidrsOf(node).some((cidr) => containsIp(cidr, ip)))?.metadata.name;
  if (host !== undefined) return { kind: "pod", node: host };
  const { localPods } = config;
  const isPod = localPods.kind === "cidrs" && localPods.cidrs.some((cidr) => containsIp(cidr, ip));
  return { kind: isPod ? "pod" : "outside" };
}

function podCidrsOf({ spec }: Node): readonly Cidr[] {
  return (spec?.podCIDRs ?? []).flatMap((text) => {
    try {
      return [parseCidr(text)];
    } catch {
      return [];
    }
  });
}
