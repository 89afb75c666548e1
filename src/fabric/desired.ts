import { addressOf, type Cidr, cidrFamily, hostCidr, ipPrefixOf, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { Fault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import {
  BRIDGED,
  type FabricConfig,
  type FabricSnapshot,
  type FabricState,
  type FdbTarget,
  FORWARDING,
  fdbKey,
  type Ground,
  type MasqueradeInput,
  type ProgramInput,
  type Vtep,
} from "./model.ts";
import { nameProgram } from "./program.ts";

/** What a tunnel of this family puts around a packet: outer IP, 8 of UDP, 8 of VXLAN and the inner frame's 14. */
const OVERHEAD_BYTES = { 4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14 } as const;

/** The kernel's state that makes the snapshot's peers reachable. @throws {Fault} "NoUnderlay" when a family has no link */
export function desiredFabric(snapshot: FabricSnapshot, ground: Ground, config: FabricConfig): FabricState {
  const { lease, peers } = snapshot;
  const families = FAMILIES.filter((family) => lease.podCidrs[family] !== undefined);
  const vteps: { 4?: Vtep; 6?: Vtep } = {};
  for (const family of families) vteps[family] = desiredVtep(family, snapshot, ground, config);
  const neighbors = new Map<Ip, Mac>();
  const fdb = new Map<string, FdbTarget>();
  const routes = new Map<Cidr, Ip>();
  for (const { family, podCidr, mac, vtep } of peers) {
    const gateway = addressOf(podCidr);
    neighbors.set(gateway, mac);
    fdb.set(fdbKey(family, mac), { family, mac, vtep });
    routes.set(podCidr, gateway);
  }
  return {
    vteps,
    neighbors,
    fdb,
    routes,
    strays: [],
    program: nameProgram(desiredProgram(snapshot, config)),
    members: new Set(snapshot.members),
    sysctls: new Map(
      families.flatMap((family) => settingsOf(family, ground)).map((name) => [name, "1"] as const),
    ),
  };
}

function settingsOf(family: Family, { canFilterBridged }: Ground): readonly string[] {
  return [...FORWARDING[family], ...(canFilterBridged ? BRIDGED[family] : [])];
}

export function desiredProgram(snapshot: FabricSnapshot, config: FabricConfig): ProgramInput {
  const masquerade: { 4?: MasqueradeInput; 6?: MasqueradeInput } = {};
  for (const family of FAMILIES) {
    const mode = config.masquerade[family];
    const node = snapshot.lease.podCidrs[family];
    const cluster = config.clusterCidrs.find((cidr) => cidrFamily(cidr) === family);
    if (mode && node && cluster) masquerade[family] = { mode, cluster, node };
  }
  return { port: config.backend.port, masquerade };
}

function desiredVtep(family: Family, { lease }: FabricSnapshot, ground: Ground, config: FabricConfig): Vtep {
  const podCidr = lease.podCidrs[family];
  const underlay = ground.underlays[family];
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
    vni: config.backend.vni,
    port: config.backend.port,
    underlay: underlay.index,
    local: underlay.local,
    learning: false,
    mac: lease.macs[family] ?? ground.macs[family],
    mtuBytes: underlay.mtuBytes - OVERHEAD_BYTES[family],
    isUp: true,
    addresses: [ipPrefixOf(base, prefixLength(hostCidr(base)))],
  };
}
