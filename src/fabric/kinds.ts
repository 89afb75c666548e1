import { FAMILIES } from "#addr/family";
import { CLAIMS } from "#kernel/claims";
import {
  type FabricConfig,
  type FabricKind,
  type FabricSnapshot,
  type FabricState,
  type Ground,
  type Peer,
  VXLAN,
  type VxlanBackend,
} from "./model.ts";
import { publicIp } from "./public-ip.ts";

const OWN_DEVICES: ReadonlySet<string> = new Set([
  ...Object.values(CLAIMS.devices.vxlan),
  ...Object.values(CLAIMS.devices.wireguard),
]);

/** What the choice of kinds goes by. */
export interface KindsInput {
  readonly snapshot: Pick<FabricSnapshot, "lease" | "said" | "peers">;
  readonly ground: Ground;
  readonly config: FabricConfig;
}

/** The kinds that packets may come to this node by: its own, and those that its peers are set up with, as far as this
 *  machine can. */
export function offeredKinds({ snapshot, ground, config }: KindsInput): ReadonlySet<FabricKind> {
  const { backend } = config;
  const own = backend.kind;
  const unable = unableKinds({ snapshot, ground, config });
  // DirectRouting is plain routes to whoever takes them, and peers need to know that we do.
  const direct = backend.kind === "vxlan" && backend.directRouting ? (["host-gw"] as const) : [];
  const wanted = new Set<FabricKind>([own, ...direct, ...snapshot.peers.map(({ primary }) => primary)]);
  return new Set([...wanted].filter((kind) => kind === own || !unable.has(kind)));
}

/** The kinds whose devices are to stand on this node: besides those it offers, those that somebody may still be using. */
export function kindsToStand(input: KindsInput): ReadonlySet<FabricKind> {
  return new Set([...offeredKinds(input), ...input.ground.lingering]);
}

/** Why a kind cannot be had on this node. */
export function unableKinds(input: KindsInput): ReadonlyMap<FabricKind, string> {
  const translated = translatedAddress(input);
  return translated === undefined
    ? input.ground.unable
    : new Map([...input.ground.unable, ["host-gw", translated]]);
}

/** Host-gw makes the peers' packets come by plain routes, which need the address of this node's own link. */
function translatedAddress({ snapshot, ground, config }: KindsInput): string | undefined {
  for (const family of FAMILIES) {
    const underlay = ground.underlays[family];
    if (underlay === undefined || snapshot.lease.podCidrs[family] === undefined) continue;
    const told = publicIp(family, underlay.local, snapshot, config);
    if (told !== underlay.local)
      return `peers are told ${told}, which is not the address of ${underlay.name} (${underlay.local})`;
  }
  return undefined;
}

/** The kinds that have something in the kernel. Of host-gw that is routes, on links that are not ours. */
export function standingKinds({
  vteps,
  tunnels,
  routes,
}: Pick<FabricState, "vteps" | "tunnels" | "routes">): ReadonlySet<FabricKind> {
  return new Set<FabricKind>([
    ...(vteps[4] || vteps[6] ? (["vxlan"] as const) : []),
    ...(tunnels.size > 0 ? (["wireguard"] as const) : []),
    ...([...routes.values()].every(({ device }) => OWN_DEVICES.has(device)) ? [] : (["host-gw"] as const)),
  ]);
}

/** What the vxlan devices are made with: this node's settings, or, where it is set up with another backend, those of the
 *  peers that it keeps them for. */
export function vxlanSettings({ backend }: FabricConfig, peers: readonly Peer[]): VxlanBackend {
  if (backend.kind === "vxlan") return backend;
  const end = peers.find(({ primary, ends }) => primary === "vxlan" && ends.vxlan)?.ends.vxlan;
  return end ? { ...VXLAN, vni: end.vni, port: end.port ?? VXLAN.port } : VXLAN;
}
