import { FAMILIES, type Family, type PerFamily } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { FLANNEL_KEYS, type FlannelEnds, readPublicIpChoice } from "#wire/flannel-annotations";
import type { FabricConfig, FabricKind, FabricSnapshot, FabricState, Ground } from "./model.ts";

/** What a round went by, and what it left. */
export interface Standing {
  readonly snapshot: Pick<FabricSnapshot, "lease" | "said">;
  readonly state: Pick<FabricState, "vteps">;
  readonly underlays: Ground["underlays"];
}

/** Where this node takes packets, by kind: what stands, and nothing that is only meant to. */
export type OwnEnds = { readonly [K in FabricKind]?: PerFamily<FlannelEnds[K]> };

/** Every kind that stands in all families of this node's. */
export function ownEnds(standing: Standing, config: FabricConfig): OwnEnds {
  const families = FAMILIES.filter((family) => standing.snapshot.lease.podCidrs[family] !== undefined);
  const vxlan = each(families, (family) => vxlanEnd(family, standing, config));
  const hostGw = each(families, (family) => hostGwEnd(family, standing, config));
  return {
    ...(vxlan && { vxlan }),
    ...(hostGw && config.backend.kind === "host-gw" && { "host-gw": hostGw }),
  };
}

function vxlanEnd(
  family: Family,
  standing: Standing,
  config: FabricConfig,
): FlannelEnds["vxlan"] | undefined {
  const vtep = standing.state.vteps[family];
  if (vtep?.mac === undefined) return undefined;
  const { vni, mac, local } = vtep;
  return { vni, mac, publicIp: publicIp(family, local, standing, config) };
}

function hostGwEnd(
  family: Family,
  standing: Standing,
  config: FabricConfig,
): FlannelEnds["host-gw"] | undefined {
  const local = standing.underlays[family]?.local;
  return local && { publicIp: publicIp(family, local, standing, config) };
}

/** What peers are told: an address that somebody chose, or the underlay's. */
function publicIp(family: Family, local: Ip, { snapshot }: Standing, { publicIps }: FabricConfig): Ip {
  const { said = {} } = snapshot;
  // Where the flag decides, an overwrite beside it is one of a time when the flag said another.
  const stale = publicIps === undefined ? {} : { [FLANNEL_KEYS[family].publicIpOverwrite]: undefined };
  return (
    publicIps?.find((ip) => familyOf(ip) === family) ??
    readPublicIpChoice({ ...said, ...stale }, family) ??
    local
  );
}

/** Undefined unless all families have one. */
function each<T>(families: readonly Family[], endOf: (family: Family) => T | undefined) {
  const ends: { 4?: T; 6?: T } = {};
  for (const family of families) {
    const end = endOf(family);
    if (end === undefined) return undefined;
    ends[family] = end;
  }
  return ends;
}
