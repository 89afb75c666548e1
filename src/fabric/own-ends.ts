import { FAMILIES, type Family } from "#addr/family";
import type { EndsByKind } from "#wire/fabric-ends";
import type { FlannelEnds } from "#wire/flannel-annotations";
import { offeredKinds } from "./kinds.ts";
import type { FabricConfig, FabricKind, FabricSnapshot, FabricState, Ground } from "./model.ts";
import type { PathChoice } from "./paths.ts";
import { publicIp } from "./public-ip.ts";
import { tunnelName, wireguardSettings } from "./wireguard/tunnel.ts";

/** What a round went by, and what it left. */
export interface Standing {
  readonly snapshot: FabricSnapshot;
  readonly state: FabricState;
  readonly ground: Ground;
  readonly choice: PathChoice;
}

/** Where this node takes packets, by kind: what stands in all of its families, and nothing that is only meant to. A kind that
 *  only lingers is not told: nobody is to begin with it. */
export function ownEnds(standing: Standing, config: FabricConfig): EndsByKind {
  const families = FAMILIES.filter((family) => standing.snapshot.lease.podCidrs[family] !== undefined);
  const offered = offeredKinds({ ...standing, config });
  const inAll = <K extends FabricKind>(kind: K) => {
    if (!offered.has(kind)) return {};
    const ends = each(families, (family) => END_OF[kind](family, standing, config));
    return ends === undefined ? {} : { [kind]: ends };
  };
  return { ...inAll("vxlan"), ...inAll("host-gw"), ...inAll("wireguard") };
}

type EndOf<K extends FabricKind> = (
  family: Family,
  standing: Standing,
  config: FabricConfig,
) => FlannelEnds[K] | undefined;

const END_OF: { readonly [K in FabricKind]: EndOf<K> } = {
  vxlan: (family, { snapshot, state }, config) => {
    const vtep = state.vteps[family];
    if (vtep?.mac === undefined) return undefined;
    const { vni, mac, local, port } = vtep;
    return { vni, mac, port, publicIp: publicIp(family, local, snapshot, config) };
  },
  "host-gw": (family, { snapshot, ground }, config) => {
    const local = ground.underlays[family]?.local;
    return local && { publicIp: publicIp(family, local, snapshot, config) };
  },
  wireguard: (family, { snapshot, state, ground }, config) => {
    const tunnel = state.tunnels.get(tunnelName(wireguardSettings(config), family));
    const local = ground.underlays[family]?.local;
    if (tunnel?.publicKey === undefined || local === undefined) return undefined;
    const { publicKey, listenPort: port } = tunnel;
    return { publicKey, port, publicIp: publicIp(family, local, snapshot, config) };
  },
};

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
