import { type Cidr, containsIp, prefixLength } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import { type KindsInput, offeredKinds, unableKinds, vxlanSettings } from "./kinds.ts";
import type { FabricKind, Ground, Path, Peer } from "./model.ts";

/** Why a peer cannot be reached. */
export interface NoPath {
  readonly peer: Peer;
  readonly why: string;
}

export interface PathChoice {
  /** The way that packets take, of each peer that has one. */
  readonly paths: readonly Path[];
  /** All ways that both sides have ready, those not taken included: a change of path is then one change of a route. */
  readonly ways: readonly Path[];
  readonly unreachable: readonly NoPath[];
}

/** Both sides choose by the same rule, so they choose the same: what both are set up with, else the first of these. */
const PREFERENCE: readonly FabricKind[] = ["wireguard", "vxlan", "host-gw"];

/** The way to every peer. */
export function choosePaths(input: KindsInput): PathChoice {
  const { snapshot, ground, config } = input;
  const offered = offeredKinds(input);
  const { directRouting } = vxlanSettings(config, snapshot.peers);
  const choice = { paths: [] as Path[], ways: [] as Path[], unreachable: [] as NoPath[] };
  for (const peer of snapshot.peers) {
    const own = config.backend.kind;
    const order = peer.primary === own ? [own, ...PREFERENCE.filter((kind) => kind !== own)] : PREFERENCE;
    const common = order.filter((kind) => offered.has(kind)).flatMap((kind) => pathOf(peer, kind) ?? []);
    const ways = common.filter((way) => way.kind !== "host-gw" || isNeighbor(way, ground));
    // A new tunnel is taken when it carries; one that does not is better than none.
    const path = ways.find((way) => carries(way, ground)) ?? ways[0];
    if (path === undefined) {
      choice.unreachable.push({ peer, why: whyNot(peer, common, input) });
    } else if (path.kind === "vxlan" && directRouting && takesDirect(peer) && isNeighbor(path, ground)) {
      choice.paths.push({ ...path, kind: "host-gw", end: { publicIp: path.end.publicIp } });
      choice.ways.push(...ways.filter((way) => way !== path));
    } else {
      choice.paths.push(path);
      choice.ways.push(...ways);
    }
  }
  return choice;
}

/** A node of ours says whether it does; a strict one that does not would drop what comes without a tunnel. Of flannel's
 *  nodes all are taken to be set up alike. */
function takesDirect({ runs, ends }: Peer): boolean {
  return runs === "flannel" || ends["host-gw"] !== undefined;
}

function carries(way: Path, { answered }: Ground): boolean {
  return way.kind !== "wireguard" || answered.has(way.end.publicKey);
}

/** Undefined where the peer does not offer the kind. */
function pathOf({ node, family, podCidr, ends }: Peer, kind: FabricKind): Path | undefined {
  const common = { node, family, podCidr };
  switch (kind) {
    case "vxlan":
      return ends.vxlan && { ...common, kind, end: ends.vxlan };
    case "host-gw":
      return ends["host-gw"] && { ...common, kind, end: ends["host-gw"] };
    case "wireguard":
      return ends.wireguard && { ...common, kind, end: ends.wireguard };
    default:
      return kind satisfies never;
  }
}

/** Whether the peer is on the underlay's own network: what a plain route through it needs. */
function isNeighbor({ family, end }: Path, { underlays }: Ground): boolean {
  const underlay = underlays[family];
  if (underlay === undefined) return false;
  return longest(underlay.connected, end.publicIp) > longest(underlay.routed, end.publicIp);
}

/** How much of the address the networks have in common with it; -1 where none contains it. */
function longest(networks: readonly Cidr[], ip: Ip): number {
  return Math.max(-1, ...networks.filter((network) => containsIp(network, ip)).map(prefixLength));
}

function whyNot(peer: Peer, common: readonly Path[], input: KindsInput): string {
  const far = common.find(({ kind }) => kind === "host-gw");
  const underlay = input.ground.underlays[peer.family];
  if (far && underlay)
    return `${far.end.publicIp} is not on a network of ${underlay.name} (${underlay.connected.join(", ") || "which has none"}), as host-gw needs: routers in between do not know pods' networks; use vxlan or wireguard-native`;
  const unable = unableKinds(input).get(peer.primary);
  return `it speaks ${peer.primary}, which this node does not${unable ? `: ${unable}` : ""}`;
}
