import type { Cidr } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import { FLANNEL_KEYS } from "#wire/flannel-annotations";
import { type Lease, type NodeView, type Peer, VXLAN } from "./model.ts";
import { wordOf } from "./node-word.ts";
import { type Refusal, Taken } from "./taken.ts";

export type { Refusal } from "./taken.ts";

export interface PeerReading {
  readonly peers: readonly Peer[];
  readonly refusals: readonly Refusal[];
}

export interface PeerContext {
  readonly lease: Lease;
  readonly clusterCidrs: readonly Cidr[];
  /** The cluster's VXLAN network number; where this node is not set up with one, the first that a peer is set up with. */
  readonly vni: number | undefined;
  /** Addresses at which packets come to this node itself. */
  readonly ownIps: ReadonlySet<Ip>;
  /** Peers of the round before: a node that starts to write nonsense keeps what worked. */
  readonly before: readonly Peer[];
}

/** The nodes that can be reached, and how. Annotations are data from outside: whatever does not hold up is left out with its
 *  reason, and can take nothing from this node or from another one. */
export function readPeers(views: readonly NodeView[], context: PeerContext): PeerReading {
  const refusals: Refusal[] = [];
  const refuse = (refusal: Refusal) => void refusals.push(refusal);
  const before = new Map(context.before.map((peer) => [`${peer.node} ${peer.family}`, peer]));
  // By name, so that of two nodes that claim one thing it is always the same that has it.
  const claims = [...views]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .filter(({ name }) => name !== context.lease.node)
    .flatMap((view) => readClaims(view, context, before, refuse));
  const vni = context.vni ?? peersVni(claims) ?? VXLAN.vni;
  const taken = new Taken(context.lease, context.ownIps);
  const peers = claims.flatMap((claim) => {
    const sound = withVni(vni, claim, refuse);
    return (sound && taken.admit(sound, refuse)) ?? [];
  });
  return { peers, refusals };
}

/** Addresses of all nodes, ours included: who may send tunnel packets. */
export function readMembers(
  views: readonly NodeView[],
  peers: readonly Peer[],
  clusterCidrs: readonly Cidr[],
): readonly Ip[] {
  const members = new Set<Ip>(
    peers.flatMap(({ ends }) => Object.values(ends).map(({ publicIp }) => publicIp)),
  );
  for (const view of views) for (const ip of wordOf(view, clusterCidrs).ips) members.add(ip);
  return [...members].sort();
}

type Refuse = (refusal: Refusal) => void;

function readClaims(
  view: NodeView,
  { lease, clusterCidrs }: PeerContext,
  before: ReadonlyMap<string, Peer>,
  refuse: Refuse,
): readonly Peer[] {
  const { claims, refusals } = wordOf(view, clusterCidrs);
  for (const refusal of refusals) refuse(refusal);
  return claims.flatMap(({ peer, isNonsense }) => {
    const { family, podCidr, ends } = peer;
    if (lease.podCidrs[family] === undefined) return [];
    const isSilent = Object.keys(ends).length === 0;
    const last = isNonsense ? before.get(`${view.name} ${family}`) : undefined;
    if (last?.podCidr === podCidr && (last.runs === "twill" || isSilent)) return [last];
    return isSilent ? [] : [peer];
  });
}

function peersVni(claims: readonly Peer[]): number | undefined {
  return claims.find(({ primary, ends }) => primary === "vxlan" && ends.vxlan)?.ends.vxlan?.vni;
}

/** Without an end in another VXLAN network. */
function withVni(vni: number, claim: Peer, refuse: Refuse): Peer | undefined {
  const { vxlan, ...rest } = claim.ends;
  if (vxlan === undefined || vxlan.vni === vni) return claim;
  const { node, family } = claim;
  const problem = `VNI ${vxlan.vni} is not the cluster's ${vni}`;
  refuse({ node, key: FLANNEL_KEYS[family].data, value: String(vxlan.vni), problem });
  return Object.keys(rest).length === 0 ? undefined : { ...claim, ends: rest };
}
