import type { Cidr, IpPrefix } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { CLAIMS } from "#kernel/claims";
import type { Route } from "#kernel/kernel";
import type { FabricState, FdbTarget, PodRoute, Program, Vtep, VtepChange } from "./model.ts";
import { planTunnelEnds, planTunnels, rebuiltTunnels, type WireguardOp } from "./wireguard/plan.ts";

export type Op =
  | { readonly op: "write-sysctl"; readonly name: string; readonly value: string }
  | { readonly op: "load-program"; readonly program: Program; readonly members: ReadonlySet<Ip> }
  | { readonly op: "add-members" | "delete-members"; readonly family: Family; readonly ips: readonly Ip[] }
  | { readonly op: "add-vtep"; readonly family: Family; readonly vtep: Vtep }
  | {
      readonly op: "change-vtep";
      readonly family: Family;
      readonly name: string;
      readonly change: VtepChange;
    }
  | { readonly op: "delete-vtep"; readonly family: Family; readonly name: string }
  | { readonly op: "add-address" | "delete-address"; readonly family: Family; readonly address: IpPrefix }
  | { readonly op: "replace-neighbor"; readonly ip: Ip; readonly mac: Mac }
  | { readonly op: "delete-neighbor"; readonly ip: Ip }
  | ({ readonly op: "replace-fdb" | "delete-fdb" } & FdbTarget)
  | { readonly op: "replace-route" | "delete-route"; readonly to: Cidr; readonly way: PodRoute }
  | { readonly op: "add-dead-end" | "delete-dead-end"; readonly to: Cidr }
  | { readonly op: "delete-stray"; readonly route: Route }
  | WireguardOp;

/** From what stands to what is wanted: the guard before the tunnel, the tunnel before its peers, and of the peers all that
 *  is new before anything goes. Each comes before what leads to it (FDB entry, neighbour, route), so that no packet is on
 *  its way to something that is not there yet; flannel's order differs and loses some when a MAC changes. */
export function planFabric(want: FabricState, known: FabricState): readonly Op[] {
  const standing = withoutRoutesOn(
    rebuiltTunnels(want.tunnels, known.tunnels),
    withoutEntriesOf(rebuilt(want, known), known),
  );
  return [
    ...planSysctls(want, known),
    ...planProgram(want, known),
    ...FAMILIES.flatMap((family) => planVtep(family, want.vteps[family], known.vteps[family])),
    ...planTunnels(want.tunnels, known.tunnels),
    ...planPeers(want, standing),
    ...planDeadEnds(want.deadEnds, known.deadEnds),
    ...planTunnelEnds(want.tunnels, known.tunnels),
    ...FAMILIES.flatMap((family) => planEnd(family, want.vteps[family], known.vteps[family])),
    ...known.strays.map((route) => ({ op: "delete-stray", route }) as const),
    // A program that is loaded anew brings its members along.
    ...(isLoadedAnew(want, known) ? [] : planMembers("delete-members", known, want)),
  ];
}

function planSysctls(want: FabricState, known: FabricState): readonly Op[] {
  return [...want.sysctls]
    .filter(([name, value]) => known.sysctls.get(name) !== value)
    .map(([name, value]) => ({ op: "write-sysctl", name, value }));
}

function planProgram(want: FabricState, known: FabricState): readonly Op[] {
  if (want.program && isLoadedAnew(want, known))
    return [{ op: "load-program", program: want.program, members: want.members }];
  return planMembers("add-members", want, known);
}

/** Its rules may be gone while its name is not: `nft flush table` takes those only. */
function isLoadedAnew({ program: ours }: FabricState, { program: theirs }: FabricState): boolean {
  return ours !== undefined && (ours.name !== theirs?.name || ours.rules !== theirs.rules);
}

/** The addresses of `a` that `b` lacks. */
function planMembers(op: "add-members" | "delete-members", a: FabricState, b: FabricState): readonly Op[] {
  const rest = [...a.members].filter((ip) => !b.members.has(ip));
  return FAMILIES.map((family) => ({ op, family, ips: rest.filter((ip) => familyOf(ip) === family) })).filter(
    ({ ips }) => ips.length > 0,
  );
}

function planVtep(family: Family, want: Vtep | undefined, known: Vtep | undefined): readonly Op[] {
  if (!want) return [];
  const ops: Op[] = [];
  const kept = known && isCompatible(want, known) ? known : undefined;
  if (known && !kept) ops.push({ op: "delete-vtep", family, name: known.name });
  if (!kept) ops.push({ op: "add-vtep", family, vtep: want });
  const had = kept?.addresses ?? [];
  for (const address of want.addresses)
    if (!had.includes(address)) ops.push({ op: "add-address", family, address });
  for (const address of had)
    if (!want.addresses.includes(address)) ops.push({ op: "delete-address", family, address });
  const change = kept && vtepChange(want, kept);
  if (change) ops.push({ op: "change-vtep", family, name: want.name, change });
  return ops;
}

/** Only once nothing leads there any more. */
function planEnd(family: Family, want: Vtep | undefined, known: Vtep | undefined): readonly Op[] {
  return known && !want ? [{ op: "delete-vtep", family, name: known.name }] : [];
}

/** What a device cannot change in place. */
function isCompatible(want: Vtep, known: Vtep): boolean {
  const keys = ["vni", "port", "learning", "gbp"] as const;
  return keys.every((key) => want[key] === known[key]);
}

function vtepChange(want: Vtep, known: Vtep): VtepChange | undefined {
  const change: { -readonly [K in keyof VtepChange]: VtepChange[K] } = {};
  if (want.underlay !== known.underlay) change.underlay = want.underlay;
  if (want.local !== known.local) change.local = want.local;
  if (want.mac !== undefined && want.mac !== known.mac) change.mac = want.mac;
  if (want.mtuBytes !== known.mtuBytes) change.mtuBytes = want.mtuBytes;
  if (want.isUp !== known.isUp) change.isUp = want.isUp;
  return Object.keys(change).length === 0 ? undefined : change;
}

function rebuilt(want: FabricState, known: FabricState): ReadonlySet<Family> {
  return new Set(
    FAMILIES.filter((family) => {
      const [a, b] = [want.vteps[family], known.vteps[family]];
      return !b || (a && !isCompatible(a, b));
    }),
  );
}

/** Neighbours, FDB entries and routes go with their device. */
function withoutEntriesOf(gone: ReadonlySet<Family>, known: FabricState): FabricState {
  if (gone.size === 0) return known;
  const devices = new Set<string>([...gone].map((family) => CLAIMS.devices.vxlan[family]));
  return {
    ...withoutRoutesOn(devices, known),
    neighbors: new Map([...known.neighbors].filter(([ip]) => !gone.has(familyOf(ip)))),
    fdb: new Map([...known.fdb].filter(([, { family }]) => !gone.has(family))),
  };
}

function withoutRoutesOn(devices: ReadonlySet<string>, known: FabricState): FabricState {
  if (devices.size === 0) return known;
  return { ...known, routes: new Map([...known.routes].filter(([, { device }]) => !devices.has(device))) };
}

function planPeers(want: FabricState, known: FabricState): readonly Op[] {
  const ops: Op[] = [];
  for (const [key, entry] of want.fdb)
    if (known.fdb.get(key)?.vtep !== entry.vtep) ops.push({ op: "replace-fdb", ...entry });
  for (const [ip, mac] of want.neighbors)
    if (known.neighbors.get(ip) !== mac) ops.push({ op: "replace-neighbor", ip, mac });
  for (const [to, way] of want.routes)
    if (!sameWay(known.routes.get(to), way) && !sameWay(known.refused.get(to), way))
      ops.push({ op: "replace-route", to, way });
  for (const [to, way] of known.routes) if (!want.routes.has(to)) ops.push({ op: "delete-route", to, way });
  for (const ip of known.neighbors.keys())
    if (!want.neighbors.has(ip)) ops.push({ op: "delete-neighbor", ip });
  for (const [key, entry] of known.fdb) if (!want.fdb.has(key)) ops.push({ op: "delete-fdb", ...entry });
  return ops;
}

/** Behind the peers' routes, so that no packet meets one whose peer is about to have a route. */
function planDeadEnds(want: ReadonlySet<Cidr>, known: ReadonlySet<Cidr>): readonly Op[] {
  return [
    ...[...want].filter((to) => !known.has(to)).map((to) => ({ op: "add-dead-end", to }) as const),
    ...[...known].filter((to) => !want.has(to)).map((to) => ({ op: "delete-dead-end", to }) as const),
  ];
}

function sameWay(a: PodRoute | undefined, b: PodRoute): boolean {
  return a?.device === b.device && a.via === b.via && a.onlink === b.onlink;
}
