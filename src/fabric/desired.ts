import { addressOf, type Cidr, cidrFamily, hostCidr, ipPrefixOf, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { Fault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import { desiredDeadEnds } from "./dead-end.ts";
import { type KindsInput, kindsToStand, unableKinds, vxlanSettings } from "./kinds.ts";
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
} from "./model.ts";
import { OVERHEAD_BYTES } from "./overhead.ts";
import { choosePaths, type PathChoice } from "./paths.ts";
import { nameProgram } from "./program.ts";
import { reversePathSettings } from "./reverse-path.ts";
import { desiredTunnels } from "./wireguard/desired.ts";
import { tunnelName, tunnelPort, wireguardSettings } from "./wireguard/tunnel.ts";

/** The kernel's state that makes the snapshot's peers reachable. @throws {Fault} "NoUnderlay" when a family has no link,
 *  "NotOwnAddress" when host-gw is wanted with an address that is not the link's, "NoWireguard" when that is wanted and is not to
 *  be had */
export function desiredFabric(
  snapshot: FabricSnapshot,
  ground: Ground,
  config: FabricConfig,
  choice: PathChoice = choosePaths({ snapshot, ground, config }),
): FabricState {
  const { lease } = snapshot;
  const families = FAMILIES.filter((family) => lease.podCidrs[family] !== undefined);
  checkGround(families, { snapshot, ground, config });
  const kinds = kindsToStand({ snapshot, ground, config });
  const vteps: { 4?: Vtep; 6?: Vtep } = {};
  if (kinds.has("vxlan"))
    for (const family of families) vteps[family] = desiredVtep(family, snapshot, ground, config);
  return {
    vteps,
    tunnels: desiredTunnels({ snapshot, ground, config }, choice),
    ...desiredEntries(choice, ground, config),
    deadEnds: desiredDeadEnds(snapshot, ground, config),
    strays: [],
    refused: new Map(),
    program: nameProgram(desiredProgram(snapshot, config, kinds)),
    members: new Set(snapshot.members),
    sysctls: new Map([
      ...families.flatMap((family) => settingsOf(family, ground)).map((name) => [name, "1"] as const),
      ...(lease.podCidrs[4] ? reversePathSettings(choice, { kinds, ground }) : []),
    ]),
  };
}

/** @throws {Fault} */
function checkGround(families: readonly Family[], input: KindsInput): void {
  const { config, ground } = input;
  for (const family of families) {
    if (ground.underlays[family]) continue;
    const wanted = config.nodeIps.filter((ip) => familyOf(ip) === family).join(", ");
    throw new Fault(
      "NoUnderlay",
      `Cannot reach other nodes over IPv${family}: no link carries ${wanted || `an IPv${family} address of this node`}; check --node-ip and --flannel-iface`,
      { detail: { family, nodeIps: wanted, iface: config.iface } },
    );
  }
  const why = unableKinds(input).get(config.backend.kind);
  if (why !== undefined && config.backend.kind === "wireguard")
    throw new Fault("NoWireguard", `Cannot run the backend wireguard-native: ${why}`);
  if (why !== undefined)
    throw new Fault(
      "NotOwnAddress",
      `Cannot run the backend host-gw: ${why}; take --flannel-external-ip or the Node's public-ip-overwrite away, or use wireguard-native`,
    );
}

/** What the devices need for every way, and a route for the one that is taken. */
function desiredEntries({ paths, ways }: PathChoice, ground: Ground, config: FabricConfig) {
  const neighbors = new Map<Ip, Mac>();
  const fdb = new Map<string, FdbTarget>();
  const routes = new Map<Cidr, PodRoute>();
  for (const { family, podCidr, ...way } of ways) {
    if (way.kind !== "vxlan") continue;
    const { mac, publicIp: vtep } = way.end;
    neighbors.set(addressOf(podCidr), mac);
    fdb.set(fdbKey(family, mac), { family, mac, vtep });
  }
  for (const path of paths) {
    const route = routeOf(path, ground, config);
    if (route) routes.set(path.podCidr, route);
  }
  return { neighbors, fdb, routes };
}

function routeOf(path: Path, { underlays }: Ground, config: FabricConfig): PodRoute | undefined {
  switch (path.kind) {
    case "vxlan":
      return { device: CLAIMS.devices.vxlan[path.family], via: addressOf(path.podCidr), onlink: true };
    case "host-gw": {
      const device = underlays[path.family]?.name;
      return device === undefined ? undefined : { device, via: path.end.publicIp, onlink: false };
    }
    case "wireguard":
      return { device: tunnelName(wireguardSettings(config), path.family), onlink: false };
    default:
      return path satisfies never;
  }
}

function settingsOf(family: Family, { canFilterBridged }: Ground): readonly string[] {
  return [...FORWARDING[family], ...(canFilterBridged ? BRIDGED[family] : [])];
}

function desiredProgram(
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
  return { ports: tunnelPorts(kinds, { snapshot, config }), guard: config.guard, masquerade };
}

/** UDP ports that tunnels' packets come in by, in order. */
function tunnelPorts(
  kinds: ReadonlySet<FabricKind>,
  { snapshot, config }: Pick<KindsInput, "snapshot" | "config">,
): readonly number[] {
  const settings = wireguardSettings(config);
  const own = new Set(FAMILIES.map((family) => tunnelPort(settings, family)));
  return [
    ...(kinds.has("vxlan") ? [vxlanSettings(config, snapshot.peers).port] : []),
    ...(kinds.has("wireguard") ? own : []),
  ].toSorted((a, b) => a - b);
}

function desiredVtep(
  family: Family,
  { lease, peers }: FabricSnapshot,
  ground: Ground,
  config: FabricConfig,
): Vtep {
  const podCidr = lease.podCidrs[family];
  const underlay = ground.underlays[family];
  const { vni, port, gbp, learning, mtuBytes } = vxlanSettings(config, peers);
  const name = CLAIMS.devices.vxlan[family];
  if (podCidr === undefined || underlay === undefined)
    throw new Error(`broken invariant: ${name} without a subnet or a link`);
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
    // The kernel refuses what its link does not take.
    mtuBytes: Math.min(mtuBytes ?? underlay.mtuBytes, underlay.mtuBytes) - OVERHEAD_BYTES.vxlan[family],
    isUp: true,
    addresses: [ipPrefixOf(base, prefixLength(hostCidr(base)))],
  };
}
