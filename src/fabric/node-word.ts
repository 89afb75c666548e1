import { type Cidr, cidrFamily, containsIp } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { type Ip, isIp, parseIp } from "#addr/ip";
import { FABRIC_ENDS_KEY, type FabricEnds, readFabricEnds } from "#wire/fabric-ends";
import {
  type AnnotationProblem,
  FLANNEL_KEYS,
  type FlannelNode,
  readFlannelNode,
} from "#wire/flannel-annotations";
import type { FabricKind, NodeView, Peer } from "./model.ts";
import { readPodCidr } from "./node-view.ts";
import type { Refusal } from "./taken.ts";

/** What a Node says of itself, read; whether others say the same is not asked yet. */
export interface NodeWord {
  /** By family; none of a family without a subnet, and none at all of a node that flannel does not run on either. */
  readonly claims: readonly Claim[];
  /** What of it cannot be. */
  readonly refusals: readonly Refusal[];
  /** Its addresses, by its status. */
  readonly ips: readonly Ip[];
}

export interface Claim {
  readonly peer: Peer;
  /** Whether something that is said of the family cannot be read. */
  readonly isNonsense: boolean;
}

/** A view never changes, and every round asks for those of all nodes: so each is read once. */
const words = new WeakMap<readonly Cidr[], WeakMap<NodeView, NodeWord>>();

/** Annotations are data from outside: nothing in them throws. */
export function wordOf(view: NodeView, clusterCidrs: readonly Cidr[]): NodeWord {
  const known = words.get(clusterCidrs) ?? new WeakMap<NodeView, NodeWord>();
  words.set(clusterCidrs, known);
  const word = known.get(view) ?? readWord(view, clusterCidrs);
  known.set(view, word);
  return word;
}

function readWord(view: NodeView, clusterCidrs: readonly Cidr[]): NodeWord {
  const ips = view.addresses.filter(isIp).map(parseIp);
  const said = readNode(view);
  if (said === undefined) return { claims: [], refusals: [], ips };
  const refusals: Refusal[] = said.problems.map((problem) => ({ node: view.name, ...problem }));
  const podCidrs = readPodCidrs(view, clusterCidrs, refusals);
  const claims = FAMILIES.flatMap((family): Claim[] => {
    const podCidr = podCidrs.get(family);
    if (podCidr === undefined) return [];
    const { runs, primary } = said;
    const keys = said.keysOf(family);
    const { ends, among } = withoutPodsAddresses(said.endsOf(family), clusterCidrs);
    for (const ip of among)
      refusals.push({
        node: view.name,
        key: keys.at(-1) ?? FABRIC_ENDS_KEY,
        value: ip,
        problem: `${ip} is in the cluster's own pod network, where no tunnel can end`,
      });
    const peer: Peer = { node: view.name, family, podCidr, runs, primary, ends };
    const isNonsense = among.size > 0 || said.problems.some(({ key }) => keys.includes(key));
    return [{ peer, isNonsense }];
  });
  return { claims, refusals, ips };
}

/** The way to such an end would lead into the tunnel itself. */
function withoutPodsAddresses(ends: Peer["ends"], clusterCidrs: readonly Cidr[]) {
  const among = new Set(
    Object.values(ends)
      .map(({ publicIp }) => publicIp)
      .filter((ip) => clusterCidrs.some((network) => containsIp(network, ip))),
  );
  const { vxlan, "host-gw": hostGw, wireguard } = ends;
  const stays = (end: { readonly publicIp: Ip } | undefined) => end && !among.has(end.publicIp);
  const sound: Peer["ends"] = {
    ...(stays(vxlan) && { vxlan }),
    ...(stays(hostGw) && { "host-gw": hostGw }),
    ...(stays(wireguard) && { wireguard }),
  };
  return { ends: among.size === 0 ? ends : sound, among };
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
