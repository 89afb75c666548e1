import { type Cidr, cidrFamily, containsCidr, parseCidr } from "#addr/cidr";
import type { PerFamily } from "#addr/family";
import type { Node } from "#kube/generated/types";
import { FABRIC_ENDS_KEY, readFabricEnds } from "#wire/fabric-ends";
import { FLANNEL_PREFIX, readFlannelNode } from "#wire/flannel-annotations";
import type { Lease, NodeView } from "./model.ts";

/** Cuts a Node down to what the fabric looks at, so that heartbeats change nothing. */
export function viewNode(node: Node): NodeView {
  const annotations = Object.entries(node.metadata.annotations ?? {}).filter(
    ([key]) => key.startsWith(FLANNEL_PREFIX) || key === FABRIC_ENDS_KEY,
  );
  const { podCIDRs, podCIDR } = node.spec ?? {};
  return {
    name: node.metadata.name ?? "",
    podCidrs: podCIDRs?.length ? podCIDRs : podCIDR ? [podCIDR] : [],
    annotations: Object.fromEntries(annotations),
    addresses: (node.status?.addresses ?? [])
      .filter(({ type }) => type === "InternalIP" || type === "ExternalIP")
      .map(({ address }) => address),
  };
}

export function sameView(a: NodeView, b: NodeView): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export type LeaseState =
  | { readonly kind: "pending"; readonly why: string }
  | { readonly kind: "acquired"; readonly lease: Lease };

/** This node's lease, once the controllers have given it a subnet of every family of the cluster's that they mean to. */
export function readLease(view: NodeView | undefined, clusterCidrs: readonly Cidr[]): LeaseState {
  if (view === undefined) return { kind: "pending", why: "this node is not registered yet" };
  if (view.podCidrs.length === 0) return { kind: "pending", why: "the node has no podCIDR yet" };
  const podCidrs: { 4?: Cidr; 6?: Cidr } = {};
  for (const text of view.podCidrs) {
    const podCidr = readPodCidr(text, clusterCidrs);
    if (podCidr.kind === "bad") return { kind: "pending", why: podCidr.why };
    const family = cidrFamily(podCidr.cidr);
    if (podCidrs[family] !== undefined)
      return { kind: "pending", why: `the node has two podCIDRs of one family: ${view.podCidrs.join(", ")}` };
    podCidrs[family] = podCidr.cidr;
  }
  return { kind: "acquired", lease: { node: view.name, podCidrs, ...announcedEnds(view) } };
}

/** What to say of a node that was made before its cluster had all its families: a Node's podCIDRs are given once, and never
 *  changed. Undefined when it has a subnet of each. @see kubernetes ValidateNodeUpdate */
export function missingSubnets({ node, podCidrs }: Lease, clusterCidrs: readonly Cidr[]): string | undefined {
  const missing = clusterCidrs.filter((cidr) => podCidrs[cidrFamily(cidr)] === undefined);
  if (missing.length === 0) return undefined;
  const families = missing.map((cidr) => `IPv${cidrFamily(cidr)}`).join(" and ");
  return `Node ${node} has no subnet of ${missing.join(" and ")}: it was made before the cluster had ${families}, and a Node's podCIDRs never change. Its pods have no ${families} until the Node is made anew: kubectl drain ${node} --ignore-daemonsets, kubectl delete node ${node}, and start Twill there again`;
}

export type PodCidrReading =
  | { readonly kind: "good"; readonly cidr: Cidr }
  | { readonly kind: "bad"; readonly why: string };

/** A node's subnet, which must lie inside the cluster's network. */
export function readPodCidr(text: string, clusterCidrs: readonly Cidr[]): PodCidrReading {
  try {
    const cidr = parseCidr(text, { hostBits: "clear" });
    if (clusterCidrs.some((network) => containsCidr(network, cidr))) return { kind: "good", cidr };
    return {
      kind: "bad",
      why: `podCIDR ${cidr} is outside the cluster's ${clusterCidrs.join(" and ")}; a Node's podCIDRs never change, so it has to be deleted and made anew`,
    };
  } catch (error) {
    return { kind: "bad", why: error instanceof Error ? error.message : String(error) };
  }
}

function announcedEnds(view: NodeView): Pick<Lease, "macs" | "publicKey"> {
  const flannel = readFlannelNode(view.annotations);
  const own = readFabricEnds(view.annotations);
  const ours = own.kind === "good" ? own.said.ends : {};
  // Flannel's word first: it is newer, where it has run here since.
  const said = flannel.kind === "vxlan" ? flannel.ends : ours.vxlan;
  const wireguard = flannel.kind === "wireguard" ? flannel.ends : ours.wireguard;
  const publicKey = (wireguard?.[4] ?? wireguard?.[6])?.publicKey;
  const macs: { -readonly [F in keyof PerFamily<unknown>]: NonNullable<Lease["macs"][F]> } = {};
  if (said?.[4]) macs[4] = said[4].mac;
  if (said?.[6]) macs[6] = said[6].mac;
  return { macs, ...(publicKey === undefined ? {} : { publicKey }) };
}
