import { addressOf, type Cidr, cidrFamily, cidrOf, containsCidr, overlaps, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { type Ip, isIp, parseIp } from "#addr/ip";
import {
  type AnnotationProblem,
  FLANNEL_KEYS,
  type FlannelNode,
  readFlannelNode,
} from "#wire/flannel-annotations";
import { fdbKey, type Lease, type NodeView, type Peer } from "./model.ts";
import { readPodCidr } from "./node-view.ts";

/** Something a node says of itself that we do not act on. */
export interface Refusal extends AnnotationProblem {
  readonly node: string;
}

export interface PeerReading {
  readonly peers: readonly Peer[];
  readonly refusals: readonly Refusal[];
}

export interface PeerContext {
  readonly lease: Lease;
  readonly clusterCidrs: readonly Cidr[];
  readonly vni: number;
  /** Peers of the round before: a node that starts to write nonsense keeps what worked. */
  readonly before: readonly Peer[];
}

/** The nodes that can be reached through tunnels. Annotations are data from outside: whatever does not hold up is left
 *  out with its reason, and can take nothing from this node or from another one. */
export function readPeers(views: readonly NodeView[], context: PeerContext): PeerReading {
  const refusals: Refusal[] = [];
  const taken = new Taken(context.lease);
  const peers: Peer[] = [];
  const before = new Map(context.before.map((peer) => [`${peer.node} ${peer.family}`, peer]));
  // By name, so that of two nodes that claim one thing it is always the same that has it.
  for (const view of [...views].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (view.name === context.lease.node) continue;
    for (const claim of readClaims(view, context, before, refusals)) {
      const refusal = taken.refuse(claim);
      if (refusal) refusals.push(refusal);
      else peers.push(claim);
    }
  }
  return { peers, refusals };
}

/** Addresses of all nodes, ours included: who may send tunnel packets. */
export function readMembers(views: readonly NodeView[], peers: readonly Peer[]): readonly Ip[] {
  const members = new Set<Ip>(
    peers.flatMap(({ ends }) => Object.values(ends).map(({ publicIp }) => publicIp)),
  );
  for (const view of views)
    for (const address of view.addresses) if (isIp(address)) members.add(parseIp(address));
  return [...members].sort();
}

function readClaims(
  view: NodeView,
  context: PeerContext,
  before: ReadonlyMap<string, Peer>,
  refusals: Refusal[],
): readonly Peer[] {
  const said = readFlannelNode(view.annotations);
  if (said.kind === "unmanaged" || said.kind === "other-backend") return [];
  refusals.push(...said.problems.map((problem) => ({ node: view.name, ...problem })));
  const podCidrs = readPodCidrs(view, context.clusterCidrs, refusals);
  const claims: Peer[] = [];
  for (const family of FAMILIES) {
    const podCidr = podCidrs.get(family);
    if (podCidr === undefined || context.lease.podCidrs[family] === undefined) continue;
    const ends = endsOf(said, family);
    const { data, publicIp } = FLANNEL_KEYS[family];
    const last = before.get(`${view.name} ${family}`);
    if (ends?.vxlan && ends.vxlan.vni !== context.vni) {
      const problem = `VNI ${ends.vxlan.vni} is not the cluster's ${context.vni}`;
      refusals.push({ node: view.name, key: data, value: view.annotations[data] ?? "", problem });
    } else if (ends) {
      claims.push({ node: view.name, family, podCidr, primary: said.kind, ends });
    } else if (
      last?.podCidr === podCidr &&
      said.problems.some(({ key }) => key === data || key === publicIp)
    ) {
      claims.push(last);
    }
  }
  return claims;
}

function endsOf(
  said: Exclude<FlannelNode, { kind: "unmanaged" | "other-backend" }>,
  family: Family,
): Peer["ends"] | undefined {
  const end = said.ends[family];
  return end && { [said.kind]: end };
}

function readPodCidrs(
  view: NodeView,
  clusterCidrs: readonly Cidr[],
  refusals: Refusal[],
): ReadonlyMap<Family, Cidr> {
  const podCidrs = new Map<Family, Cidr>();
  for (const text of view.podCidrs) {
    const reading = readPodCidr(text, clusterCidrs);
    if (reading.kind === "good") podCidrs.set(cidrFamily(reading.cidr), reading.cidr);
    else refusals.push({ node: view.name, key: "spec.podCIDRs", value: text, problem: reading.why });
  }
  return podCidrs;
}

/** Subnets, MACs and keys that already have a node. */
class Taken {
  readonly #lease: Lease;
  readonly #subnets = new Map<Cidr, string>();
  readonly #names = new Map<string, string>();
  readonly #lengths = { 4: new Set<number>(), 6: new Set<number>() };

  constructor(lease: Lease) {
    this.#lease = lease;
    for (const family of FAMILIES) {
      const mac = lease.macs[family];
      if (mac) this.#names.set(fdbKey(family, mac), lease.node);
    }
  }

  /** Why the claim cannot stand; when it can, it counts from now on. */
  refuse({ node, family, podCidr, ends }: Peer): Refusal | undefined {
    const own = this.#lease.podCidrs[family];
    const holder = own && overlaps(own, podCidr) ? this.#lease.node : this.#subnetHolder(podCidr);
    if (holder !== undefined)
      return { node, key: "spec.podCIDRs", value: podCidr, problem: `the subnet is node ${holder}'s` };
    const names = namesOf(family, ends);
    for (const { name, value, what } of names) {
      const twin = this.#names.get(name);
      if (twin !== undefined && twin !== node)
        return { node, key: FLANNEL_KEYS[family].data, value, problem: `${what} is node ${twin}'s` };
    }
    this.#subnets.set(podCidr, node);
    this.#lengths[family].add(prefixLength(podCidr));
    for (const { name } of names) this.#names.set(name, node);
    return undefined;
  }

  /** Who holds a subnet that this one overlaps. A cluster's subnets have one size, so this is one look-up. */
  #subnetHolder(podCidr: Cidr): string | undefined {
    const own = prefixLength(podCidr);
    for (const length of this.#lengths[cidrFamily(podCidr)]) {
      if (length <= own) {
        const holder = this.#subnets.get(cidrOf(addressOf(podCidr), length));
        if (holder !== undefined) return holder;
      } else {
        for (const [subnet, node] of this.#subnets) if (containsCidr(podCidr, subnet)) return node;
      }
    }
    return undefined;
  }
}

/** What packets find a node by, which two nodes must not share. */
function namesOf(family: Family, { vxlan, wireguard }: Peer["ends"]) {
  return [
    ...(vxlan ? [{ name: fdbKey(family, vxlan.mac), value: vxlan.mac, what: "VtepMAC" }] : []),
    ...(wireguard ? [{ name: wireguard.publicKey, value: wireguard.publicKey, what: "PublicKey" }] : []),
  ];
}
