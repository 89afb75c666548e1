import { type Cidr, cidrFamily, ipPrefixOf, nthIp, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family, type PerFamily } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { type EndsByKind, FABRIC_ENDS_KEY, formatFabricEnds } from "#wire/fabric-ends";
import { type Annotations, FLANNEL_KEYS, formatFlannelNode } from "#wire/flannel-annotations";
import { formatSubnetFile } from "#wire/subnet-file";
import type { FabricConfig, FabricKind, FabricReady, Peer } from "./model.ts";
import { ownEnds, type Standing } from "./own-ends.ts";

/** What this node tells others once its half stands. */
export interface Announcement {
  /** For the peers, on our Node; `null` takes a key away. */
  readonly annotations: Readonly<Record<string, string | null>>;
  /** For CNI plugins, on disk. */
  readonly subnetFile: string;
  /** For the rest of this process. */
  readonly ready: FabricReady;
}

/** Says what is true: MACs and MTU are those of the devices that stand. Nothing before every family's device does. */
export function announcement(standing: Standing, config: FabricConfig): Announcement | undefined {
  const { lease, peers } = standing.snapshot;
  const primary = config.backend.kind;
  const ends = ownEnds(standing, config);
  if (ends[primary] === undefined) return undefined;
  const spoken = flannelNode(flannelKind(primary, peers), ends) ?? flannelNode(primary, ends);
  if (spoken === undefined) return undefined;
  const flannel = formatFlannelNode(spoken);
  const podCidrs = FAMILIES.flatMap((family) => lease.podCidrs[family] ?? []);
  const ready = { podCidrs, mtuBytes: podMtuBytes(podCidrs.map(cidrFamily), standing) };
  return {
    annotations: {
      ...withdrawals(spoken.ends),
      ...flannel,
      [FABRIC_ENDS_KEY]: formatFabricEnds({ primary, ends }, flannel),
      ...(config.publicIps ? overwrites(config.publicIps) : {}),
    },
    subnetFile: subnetFileText(ready, config),
    ready,
  };
}

/** What nodes of flannel's own need to hear, for they pass over whoever speaks another kind: the one that most of them are set
 *  up with, ours where it is among those. */
export function flannelKind(primary: FabricKind, peers: readonly Peer[]): FabricKind {
  const count = (kind: FabricKind) =>
    peers.filter((peer) => peer.runs === "flannel" && peer.primary === kind).length;
  const others = (["wireguard", "vxlan", "host-gw"] as const).filter((kind) => kind !== primary);
  return others.reduce<FabricKind>((best, kind) => (count(kind) > count(best) ? kind : best), primary);
}

/** What flannel is told: one kind only, for that is all it reads. */
function flannelNode(kind: FabricKind, ends: EndsByKind) {
  switch (kind) {
    case "vxlan":
      return ends[kind] && { kind, ends: ends[kind] };
    case "host-gw":
      return ends[kind] && { kind, ends: ends[kind] };
    case "wireguard":
      return ends[kind] && { kind, ends: ends[kind] };
    default:
      return kind satisfies never;
  }
}

/** What fits through everything that packets for other nodes may go through. */
function podMtuBytes(families: readonly Family[], { state, ground }: Standing) {
  const vteps = families.flatMap((family) => state.vteps[family]?.mtuBytes ?? []);
  const links = families.flatMap((family) => ground.underlays[family]?.mtuBytes ?? []);
  const tunnels = [...state.tunnels.values()].map(({ mtuBytes }) => mtuBytes);
  return Math.min(...vteps, ...tunnels, ...links);
}

/** The keys whose value on the Node differs from what we say. */
export function missingAnnotations(
  said: Annotations,
  wanted: Announcement["annotations"],
): Announcement["annotations"] {
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => (said[key] ?? null) !== value));
}

/** A family that we had once and have no more must not be believed any longer. */
function withdrawals(ends: PerFamily<unknown>): Record<string, null> {
  const gone = FAMILIES.filter((family) => ends[family] === undefined);
  return Object.fromEntries(
    gone
      .flatMap((family) => [FLANNEL_KEYS[family].data, FLANNEL_KEYS[family].publicIp])
      .map((key) => [key, null]),
  );
}

/** As K3s does with `--flannel-external-ip`, so that a flannel that takes over keeps the address, and goes by its own again when
 *  the flag has gone. */
function overwrites(publicIps: readonly Ip[]): Record<string, string | null> {
  return Object.fromEntries(
    FAMILIES.map((family) => [
      FLANNEL_KEYS[family].publicIpOverwrite,
      publicIps.find((ip) => familyOf(ip) === family) ?? null,
    ]),
  );
}

function subnetFileText({ podCidrs, mtuBytes }: FabricReady, config: FabricConfig): string {
  const networks: { 4?: Cidr; 6?: Cidr } = {};
  const gateways: { -readonly [F in keyof PerFamily<unknown>]: ReturnType<typeof ipPrefixOf> } = {};
  for (const podCidr of podCidrs) {
    const family = cidrFamily(podCidr);
    const network = config.clusterCidrs.find((cidr) => cidrFamily(cidr) === family);
    if (network) networks[family] = network;
    gateways[family] = ipPrefixOf(nthIp(podCidr, 1), prefixLength(podCidr));
  }
  // Plugins must leave masquerading to us, unless nobody asked us for it.
  const masquerade = Object.keys(config.masquerade).length > 0;
  return formatSubnetFile({ networks, gateways, mtuBytes, masquerade });
}
