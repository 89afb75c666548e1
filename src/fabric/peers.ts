import { type Cidr, cidrFamily } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { type Ip, isIp, parseIp } from "#addr/ip";
import { FABRIC_ENDS_KEY, type FabricEnds, readFabricEnds } from "#wire/fabric-ends";
import {
  type AnnotationProblem,
  FLANNEL_KEYS,
  type FlannelNode,
  readFlannelNode,
} from "#wire/flannel-annotations";
import { type FabricKind, type Lease, type NodeView, type Peer, VXLAN } from "./model.ts";
import { readPodCidr } from "./node-view.ts";
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
export function readMembers(views: readonly NodeView[], peers: readonly Peer[]): readonly Ip[] {
  const members = new Set<Ip>(
    peers.flatMap(({ ends }) => Object.values(ends).map(({ publicIp }) => publicIp)),
  );
  for (const view of views)
    for (const address of view.addresses) if (isIp(address)) members.add(parseIp(address));
  return [...members].sort();
}

type Refuse = (refusal: Refusal) => void;

function readClaims(
  view: NodeView,
  context: PeerContext,
  before: ReadonlyMap<string, Peer>,
  refuse: Refuse,
): readonly Peer[] {
  const said = readNode(view);
  if (said === undefined) return [];
  for (const problem of said.problems) refuse({ node: view.name, ...problem });
  const podCidrs = readPodCidrs(view, context.clusterCidrs, refuse);
  const claims: Peer[] = [];
  for (const family of FAMILIES) {
    const podCidr = podCidrs.get(family);
    if (podCidr === undefined || context.lease.podCidrs[family] === undefined) continue;
    const last = before.get(`${view.name} ${family}`);
    const ends = said.endsOf(family);
    const isNonsense = said.problems.some(({ key }) => said.keysOf(family).includes(key));
    if (last?.podCidr === podCidr && isNonsense && (last.runs === "twill" || Object.keys(ends).length === 0))
      claims.push(last);
    else if (Object.keys(ends).length > 0)
      claims.push({ node: view.name, family, podCidr, runs: said.runs, primary: said.primary, ends });
  }
  return claims;
}

/** A node's own word, by whichever of the two languages it speaks. */
interface Said {
  readonly runs: Peer["runs"];
  readonly primary: FabricKind;
  readonly problems: readonly AnnotationProblem[];
  endsOf(family: Family): Peer["ends"];
  /** Annotations that tell of the family. */
  keysOf(family: Family): readonly string[];
}

function readNode({ annotations }: NodeView): Said | undefined {
  const flannel = readFlannelNode(annotations);
  if (flannel.kind === "unmanaged") return undefined;
  const own = readFabricEnds(annotations);
  if (own.kind === "good") return saidByTwill(own.said, own.problems);
  if (flannel.kind === "other-backend") return undefined;
  return saidByFlannel(flannel, own.kind === "bad" ? [own.problem] : []);
}

function saidByTwill({ primary, ends }: FabricEnds, problems: readonly AnnotationProblem[]): Said {
  return {
    runs: "twill",
    primary,
    problems,
    endsOf: (family) => {
      const { vxlan, wireguard, "host-gw": hostGw } = ends;
      return {
        ...(vxlan?.[family] && { vxlan: vxlan[family] }),
        ...(hostGw?.[family] && { "host-gw": hostGw[family] }),
        ...(wireguard?.[family] && { wireguard: wireguard[family] }),
      };
    },
    keysOf: () => [FABRIC_ENDS_KEY],
  };
}

function saidByFlannel(
  said: Exclude<FlannelNode, { kind: "unmanaged" | "other-backend" }>,
  ownProblems: readonly AnnotationProblem[],
): Said {
  return {
    runs: "flannel",
    primary: said.kind,
    problems: [...ownProblems, ...said.problems],
    endsOf: (family) => {
      const end = said.ends[family];
      return end ? { [said.kind]: end } : {};
    },
    keysOf: (family) => [FABRIC_ENDS_KEY, FLANNEL_KEYS[family].data, FLANNEL_KEYS[family].publicIp],
  };
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

function readPodCidrs(
  view: NodeView,
  clusterCidrs: readonly Cidr[],
  refuse: Refuse,
): ReadonlyMap<Family, Cidr> {
  const podCidrs = new Map<Family, Cidr>();
  for (const text of view.podCidrs) {
    const reading = readPodCidr(text, clusterCidrs);
    if (reading.kind === "good") podCidrs.set(cidrFamily(reading.cidr), reading.cidr);
    else refuse({ node: view.name, key: "spec.podCIDRs", value: text, problem: reading.why });
  }
  return podCidrs;
}
