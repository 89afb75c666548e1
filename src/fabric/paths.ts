import { containsIp } from "#addr/cidr";
import type { FabricKind, Ground, Path, Peer, VxlanBackend } from "./model.ts";

/** Why a peer cannot be reached. */
export interface NoPath {
  readonly peer: Peer;
  readonly why: string;
}

export interface PathChoice {
  readonly paths: readonly Path[];
  readonly unreachable: readonly NoPath[];
}

/** The way to every peer, by the kinds that stand on this node. */
export function choosePaths(
  peers: readonly Peer[],
  { kinds, ground, vxlan }: { kinds: ReadonlySet<FabricKind>; ground: Ground; vxlan: VxlanBackend },
): PathChoice {
  const paths: Path[] = [];
  const unreachable: NoPath[] = [];
  for (const peer of peers) {
    const path = kinds.has(peer.primary) ? pathOf(peer, peer.primary) : undefined;
    if (path === undefined)
      unreachable.push({ peer, why: `it speaks ${peer.primary}, which this node does not` });
    else if (path.kind === "vxlan" && vxlan.directRouting && isNeighbor(path, ground))
      paths.push({ ...path, kind: "host-gw", end: { publicIp: path.end.publicIp } });
    else if (path.kind === "host-gw" && !isNeighbor(path, ground))
      unreachable.push({
        peer,
        why: `${path.end.publicIp} is not on a network of this node's own link, as host-gw needs`,
      });
    else paths.push(path);
  }
  return { paths, unreachable };
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
  return underlays[family]?.connected.some((network) => containsIp(network, end.publicIp)) ?? false;
}
