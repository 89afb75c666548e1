import { type Cidr, cidrFamily, ipPrefixOf, nthIp, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family, type PerFamily } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { type Annotations, FLANNEL_KEYS, formatFlannelNode } from "#wire/flannel-annotations";
import { formatSubnetFile } from "#wire/subnet-file";
import type { FabricConfig, FabricKind, FabricReady } from "./model.ts";
import { type OwnEnds, ownEnds, type Standing } from "./own-ends.ts";

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
  const { lease } = standing.snapshot;
  const spoken = flannelNode(config.backend.kind, ownEnds(standing, config));
  if (spoken === undefined) return undefined;
  const podCidrs = FAMILIES.flatMap((family) => lease.podCidrs[family] ?? []);
  const ready = { podCidrs, mtuBytes: podMtuBytes(podCidrs.map(cidrFamily), standing, config) };
  return {
    annotations: {
      ...withdrawals(spoken.ends),
      ...formatFlannelNode(spoken),
      ...(config.publicIps ? overwrites(config.publicIps) : {}),
    },
    subnetFile: subnetFileText(ready, config),
    ready,
  };
}

/** What flannel is told: one kind only, for that is all it reads. */
function flannelNode(kind: FabricKind, ends: OwnEnds) {
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
function podMtuBytes(families: readonly Family[], { state, underlays }: Standing, config: FabricConfig) {
  const vteps = families.flatMap((family) => state.vteps[family]?.mtuBytes ?? []);
  const links = families.flatMap((family) => underlays[family]?.mtuBytes ?? []);
  return Math.min(...vteps, ...(config.backend.kind === "host-gw" ? links : []));
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
