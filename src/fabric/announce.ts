import { type Cidr, cidrFamily, ipPrefixOf, nthIp, prefixLength } from "#addr/cidr";
import { FAMILIES, type PerFamily } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import {
  type Annotations,
  FLANNEL_KEYS,
  formatVxlanNode,
  readPublicIpChoice,
  type VxlanEnd,
} from "#wire/flannel-annotations";
import { formatSubnetFile } from "#wire/subnet-file";
import type { FabricConfig, FabricReady, FabricSnapshot, FabricState } from "./model.ts";

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
export function announcement(
  { lease, said = {} }: Pick<FabricSnapshot, "lease" | "said">,
  state: FabricState,
  config: FabricConfig,
): Announcement | undefined {
  const ends: { 4?: VxlanEnd; 6?: VxlanEnd } = {};
  const podCidrs: Cidr[] = [];
  const mtus: number[] = [];
  for (const family of FAMILIES) {
    const podCidr = lease.podCidrs[family];
    if (podCidr === undefined) continue;
    const vtep = state.vteps[family];
    if (vtep?.mac === undefined) return undefined;
    const publicIp =
      config.publicIps?.find((ip) => familyOf(ip) === family) ??
      readPublicIpChoice(said, family) ??
      vtep.local;
    ends[family] = { vni: vtep.vni, mac: vtep.mac, publicIp };
    podCidrs.push(podCidr);
    mtus.push(vtep.mtuBytes);
  }
  const ready = { podCidrs, mtuBytes: Math.min(...mtus) };
  return {
    annotations: { ...withdrawals(ends), ...formatVxlanNode(ends), ...overwrites(config.publicIps ?? []) },
    subnetFile: subnetFileText(ready, config),
    ready,
  };
}

/** The keys whose value on the Node differs from what we say. */
export function missingAnnotations(
  said: Annotations,
  wanted: Announcement["annotations"],
): Announcement["annotations"] {
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => (said[key] ?? null) !== value));
}

/** A family that we had once and have no more must not be believed any longer. */
function withdrawals(ends: PerFamily<VxlanEnd>): Record<string, null> {
  const gone = FAMILIES.filter((family) => ends[family] === undefined);
  return Object.fromEntries(
    gone
      .flatMap((family) => [FLANNEL_KEYS[family].data, FLANNEL_KEYS[family].publicIp])
      .map((key) => [key, null]),
  );
}

/** As K3s does with `--flannel-external-ip`, so that a flannel that takes over keeps the address. */
function overwrites(publicIps: readonly Ip[]): Record<string, string> {
  const pairs = publicIps.map((ip) => [FLANNEL_KEYS[familyOf(ip)].publicIpOverwrite, ip] as const);
  return Object.fromEntries(pairs);
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
  // K3s always writes true: plugins must leave masquerading to us.
  return formatSubnetFile({ networks, gateways, mtuBytes, masquerade: true });
}
