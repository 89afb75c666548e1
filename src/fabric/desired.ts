import { addressOf, type Cidr, cidrFamily, hostCidr, ipPrefixOf, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { Fault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import {
  BRIDGED,
  type FabricConfig,
  type FabricKind,
  type FabricSnapshot,
  type FabricState,
  type FdbTarget,
  FORWARDING,
  fdbKey,
  type Ground,
  type MasqueradeInput,
  type Path,
  type PodRoute,
  type ProgramInput,
  type Vtep,
  VXLAN,
  type VxlanBackend,
  WIREGUARD,
} from "./model.ts";
import { choosePaths } from "./paths.ts";
import { nameProgram } from "./program.ts";

/** What a tunnel of this family puts around a packet: outer IP, 8 of UDP, 8 of VXLAN and the inner frame's 14. */
const OVERHEAD_BYTES = { 4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14 } as const;

/** What a backend is set up with where it is not the cluster's own. */
export function vxlanSettings({ backend }: FabricConfig): VxlanBackend {
  return backend.kind === "vxlan" ? backend : VXLAN;
}

/** The kinds of tunnel that are to stand on this node. */
export function kindsToStand(config: FabricConfig): ReadonlySet<FabricKind> {
  return new Set([config.backend.kind]);
}

/** The kernel's state that makes the snapshot's peers reachable. @throws {Fault} "NoUnderlay" when a family has no link */
export function desiredFabric(snapshot: FabricSnapshot, ground: Ground, config: FabricConfig): FabricState {
  const { lease, peers } = snapshot;
  const families = FAMILIES.filter((family) => lease.podCidrs[family] !== undefined);
  const kinds = kindsToStand(config);
  const vteps: { 4?: Vtep; 6?: Vtep } = {};
  if (kinds.has("vxlan"))
    for (const family of families) vteps[family] = desiredVtep(family, snapshot, ground, config);
  const { paths } = choosePaths(peers, { kinds, ground, vxlan: vxlanSettings(config) });
  return {
    vteps,
    ...desiredEntries(paths, ground),
    strays: [],
    program: nameProgram(desiredProgram(snapshot, config, kinds)),
    members: new Set(snapshot.members),
    sysctls: new Map(
      families.flatMap((family) => settingsOf(family, ground)).map((name) => [name, "1"] as const),
    ),
  };
}

/** For each path what leads there. */
function desiredEntries(paths: readonly Path[], { underlays }: Ground) {
  const neighbors = new Map<Ip, Mac>();
  const fdb = new Map<string, FdbTarget>();
  const routes = new Map<Cidr, PodRoute>();
  for (const { family, podCidr, ...path } of paths) {
    if (path.kind === "vxlan") {
      const { mac, publicIp: vtep } = path.end;
      const gateway = addressOf(podCidr);
      neighbors.set(gateway, mac);
      fdb.set(fdbKey(family, mac), { family, mac, vtep });
      routes.set(podCidr, { device: CLAIMS.devices.vxlan[family], via: gateway, onlink: true });
    } else if (path.kind === "host-gw") {
      const device = underlays[family]?.name;
      if (device !== undefined) routes.set(podCidr, { device, via: path.end.publicIp, onlink: false });
    }
  }
  return { neighbors, fdb, routes };
}

function settingsOf(family: Family, { canFilterBridged }: Ground): readonly string[] {
  return [...FORWARDING[family], ...(canFilterBridged ? BRIDGED[family] : [])];
}

export function desiredProgram(
  snapshot: FabricSnapshot,
  config: FabricConfig,
  kinds: ReadonlySet<FabricKind>,
): ProgramInput {
  const masquerade: { 4?: MasqueradeInput; 6?: MasqueradeInput } = {};
  for (const family of FAMILIES) {
    const mode = config.masquerade[family];
    const node = snapshot.lease.podCidrs[family];
    const cluster = config.clusterCidrs.find((cidr) => cidrFamily(cidr) === family);
    if (mode && node && cluster) masquerade[family] = { mode, cluster, node };
  }
  return { ports: tunnelPorts(kinds, config), guard: config.guard, masquerade };
}

/** UDP ports that tunnels' packets come in by, in order. */
function tunnelPorts(kinds: ReadonlySet<FabricKind>, config: FabricConfig): readonly number[] {
  const { listenPorts } = config.backend.kind === "wireguard" ? config.backend : WIREGUARD;
  return [
    ...(kinds.has("vxlan") ? [vxlanSettings(config).port] : []),
    ...(kinds.has("wireguard") ? FAMILIES.map((family) => listenPorts[family]) : []),
  ].toSorted((a, b) => a - b);
}

function desiredVtep(family: Family, { lease }: FabricSnapshot, ground: Ground, config: FabricConfig): Vtep {
  const podCidr = lease.podCidrs[family];
  const underlay = ground.underlays[family];
  const { vni, port, gbp, learning, mtuBytes } = vxlanSettings(config);
  const name = CLAIMS.devices.vxlan[family];
  if (podCidr === undefined) throw new Error(`broken invariant: ${name} without a subnet`);
  if (underlay === undefined) {
    const wanted = config.nodeIps.filter((ip) => familyOf(ip) === family).join(", ");
    throw new Fault(
      "NoUnderlay",
      `Cannot place ${name}: no link carries ${wanted || `an IPv${family} address of this node`}; check --node-ip and --flannel-iface`,
      { detail: { device: name, nodeIps: wanted, iface: config.iface } },
    );
  }
  const base = addressOf(podCidr);
  return {
    name,
    vni,
    port,
    underlay: underlay.index,
    local: underlay.local,
    learning,
    gbp,
    mac: lease.macs[family] ?? ground.macs[family],
    mtuBytes: (mtuBytes ?? underlay.mtuBytes) - OVERHEAD_BYTES[family],
    isUp: true,
    addresses: [ipPrefixOf(base, prefixLength(hostCidr(base)))],
  };
}
