import { type Cidr, containsIp, hostCidr, type IpPrefix } from "#addr/cidr";
import type { Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { Fault, isFault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import type { NetKernel, Route, RouteSpec } from "#kernel/kernel";
import { deadEndRoute } from "./dead-end.ts";
import { memberChanges } from "./guard.ts";
import { hardenDevice } from "./harden-device.ts";
import {
  type FabricState,
  type FdbTarget,
  fdbKey,
  type PodRoute,
  type Program,
  type Vtep,
  type VtepChange,
} from "./model.ts";
import { renderProgram } from "./program.ts";
import type { WireguardOp } from "./wireguard/plan.ts";
import { TunnelWorld } from "./wireguard/world.ts";

/** The kernel together with what is true of it: each method changes both, or throws and changes neither. */
export class World {
  readonly #kernel: NetKernel;
  readonly #indexes = new Map<string, number>();
  readonly #vteps: { 4?: Vtep; 6?: Vtep };
  readonly #neighbors: Map<Ip, Mac>;
  readonly #fdb: Map<string, FdbTarget>;
  readonly #routes: Map<Cidr, PodRoute>;
  readonly #deadEnds: Set<Cidr>;
  readonly #strays: Route[];
  readonly #refused: Map<Cidr, PodRoute>;
  readonly #members: Set<Ip>;
  readonly #sysctls: Map<string, string>;
  readonly #tunnels: TunnelWorld;
  #program: Program | undefined;

  /** `privateKey` is this node's own of WireGuard, where there is one. */
  constructor(kernel: NetKernel, known: FabricState, privateKey?: string) {
    this.#kernel = kernel;
    this.#tunnels = new TunnelWorld(kernel, known.tunnels, privateKey);
    this.#vteps = { ...known.vteps };
    this.#neighbors = new Map(known.neighbors);
    this.#fdb = new Map(known.fdb);
    this.#routes = new Map(known.routes);
    this.#deadEnds = new Set(known.deadEnds);
    this.#strays = [...known.strays];
    this.#refused = new Map(known.refused);
    this.#members = new Set(known.members);
    this.#sysctls = new Map(known.sysctls);
    this.#program = known.program;
  }

  /** What is true now. */
  state(): FabricState {
    return {
      vteps: this.#vteps,
      tunnels: this.#tunnels.tunnels,
      neighbors: this.#neighbors,
      fdb: this.#fdb,
      routes: this.#routes,
      deadEnds: this.#deadEnds,
      strays: this.#strays,
      refused: this.#refused,
      program: this.#program,
      members: this.#members,
      sysctls: this.#sysctls,
    };
  }

  writeSysctl(name: string, value: string): void {
    this.#kernel.sysctl.write(name, value);
    this.#sysctls.set(name, value);
  }

  loadProgram(program: Program, members: ReadonlySet<Ip>): void {
    this.#kernel.nft.run(renderProgram(program, members));
    this.#program = program;
    this.#members.clear();
    for (const ip of members) this.#members.add(ip);
  }

  changeMembers(op: "add" | "delete", family: Family, ips: readonly Ip[]): void {
    this.#kernel.nft.changeElements(memberChanges(op, family, ips));
    for (const ip of ips) {
      if (op === "add") this.#members.add(ip);
      else this.#members.delete(ip);
    }
  }

  /** The device as the kernel made it: it may give less MTU than was asked for, and what it gave is what counts. */
  addVtep(family: Family, vtep: Vtep): void {
    const { name, mac, mtuBytes, vni, port, underlay, local, learning, gbp } = vtep;
    const link = this.#kernel.netlink.addLink({
      kind: "vxlan",
      name,
      mtuBytes,
      vxlan: { vni, port, underlay, local, learning, gbp },
      ...(mac === undefined ? {} : { mac }),
    });
    this.#indexes.set(name, link.index);
    // Before the device is up: a router's advertisement must never give it a route.
    hardenDevice(this.#kernel, name);
    // No queue, as flannel has it: packets wait in the underlay's.
    this.#kernel.netlink.changeLink(link.index, { isUp: true, sendQueueLength: 0 });
    this.#vteps[family] = { ...vtep, mac: link.mac, mtuBytes: link.mtuBytes, isUp: true, addresses: [] };
  }

  changeVtep(family: Family, change: VtepChange): void {
    const { underlay, local, ...rest } = change;
    const vxlan = {
      ...(underlay === undefined ? {} : { underlay }),
      ...(local === undefined ? {} : { local }),
    };
    const hasMoved = Object.keys(vxlan).length > 0;
    this.#kernel.netlink.changeLink(this.#deviceIndex(family), { ...rest, ...(hasMoved ? { vxlan } : {}) });
    this.#vteps[family] = { ...this.#vtep(family), ...change };
  }

  addAddress(family: Family, address: IpPrefix): void {
    this.#kernel.netlink.addAddress(this.#deviceIndex(family), address, { noDad: true });
    const vtep = this.#vtep(family);
    this.#vteps[family] = { ...vtep, addresses: [...vtep.addresses, address] };
  }

  deleteAddress(family: Family, address: IpPrefix): void {
    this.#kernel.netlink.deleteAddress(this.#deviceIndex(family), address);
    const vtep = this.#vtep(family);
    this.#vteps[family] = { ...vtep, addresses: vtep.addresses.filter((standing) => standing !== address) };
  }

  deleteVtep(family: Family, name: string): void {
    const link = this.#kernel.netlink.findLink(name);
    if (link) this.#kernel.netlink.deleteLink(link.index);
    this.#indexes.delete(name);
    delete this.#vteps[family];
    for (const ip of this.#neighbors.keys()) if (familyOf(ip) === family) this.#neighbors.delete(ip);
    for (const [to, { device }] of this.#routes) if (device === name) this.#routes.delete(to);
    for (const [key, entry] of this.#fdb) if (entry.family === family) this.#fdb.delete(key);
  }

  /** Routes go with their device. */
  changeTunnel(op: WireguardOp): void {
    this.#tunnels.apply(op);
    if (op.op !== "delete-tunnel") return;
    this.#indexes.delete(op.name);
    for (const [to, { device }] of this.#routes) if (device === op.name) this.#routes.delete(to);
  }

  replaceNeighbor(ip: Ip, mac: Mac): void {
    this.#kernel.netlink.replaceNeighbor({ link: this.#deviceIndex(familyOf(ip)), ip, mac });
    this.#neighbors.set(ip, mac);
  }

  deleteNeighbor(ip: Ip): void {
    this.#kernel.netlink.deleteNeighbor({ link: this.#deviceIndex(familyOf(ip)), ip });
    this.#neighbors.delete(ip);
  }

  replaceFdb({ family, mac, vtep }: FdbTarget): void {
    this.#kernel.netlink.replaceFdb({ link: this.#deviceIndex(family), mac, vtep });
    this.#fdb.set(fdbKey(family, mac), { family, mac, vtep });
  }

  deleteFdb({ family, mac, vtep }: FdbTarget): void {
    this.#kernel.netlink.deleteFdb({ link: this.#deviceIndex(family), mac, vtep });
    this.#fdb.delete(fdbKey(family, mac));
  }

  /** A gateway that the kernel finds no way to is one peer's trouble: it is noted, and what stood before stays. */
  replaceRoute(to: Cidr, way: PodRoute): void {
    try {
      this.#putRoute(to, way);
    } catch (error) {
      if (way.via === undefined || !isNoWay(error)) throw error;
      this.#refused.set(to, way);
      return;
    }
    this.#routes.set(to, way);
    this.#refused.delete(to);
  }

  /** A tunnel's gateway is an address of the subnet itself. While the subnet is on another device, IPv6 refuses the gateway
   *  for being there ("device mismatch"): so the gateway gets a route of its own until the subnet has moved. */
  #putRoute(to: Cidr, way: PodRoute): void {
    const { netlink } = this.#kernel;
    try {
      netlink.replaceRoute(this.#route(to, way));
    } catch (error) {
      const { device, via, onlink } = way;
      const isInside = onlink && via !== undefined && familyOf(via) === 6 && containsIp(to, via);
      if (!isInside || !isFault(error) || error.code !== "EINVAL") throw error;
      const lead = this.#route(hostCidr(via), { device, onlink: false });
      netlink.replaceRoute(lead);
      try {
        netlink.replaceRoute(this.#route(to, way));
      } finally {
        netlink.deleteRoute(lead);
      }
    }
  }

  /** Whoever made it: on a device of ours it would lead nowhere. */
  deleteRoute(to: Cidr, way: PodRoute): void {
    const { link, via } = this.#route(to, way);
    this.#kernel.netlink.deleteRoute({ to, link, ...(via === undefined ? {} : { via }) });
    this.#routes.delete(to);
  }

  addDeadEnd(to: Cidr): void {
    this.#kernel.netlink.replaceRoute(deadEndRoute(to));
    this.#deadEnds.add(to);
  }

  deleteDeadEnd(to: Cidr): void {
    this.#kernel.netlink.deleteRoute(deadEndRoute(to));
    this.#deadEnds.delete(to);
  }

  deleteStray(route: Route): void {
    this.#kernel.netlink.deleteRoute(route);
    this.#strays.splice(this.#strays.indexOf(route), 1);
  }

  #route(to: Cidr, { device, via, onlink }: PodRoute): RouteSpec {
    const link = this.#indexOf(device);
    return { to, link, via, onlink, table: CLAIMS.routeTable, protocol: CLAIMS.routeProtocol };
  }

  #vtep(family: Family): Vtep {
    const vtep = this.#vteps[family];
    if (vtep === undefined) throw new Fault("NoDevice", noDevice(CLAIMS.devices.vxlan[family]));
    return vtep;
  }

  #deviceIndex(family: Family): number {
    return this.#indexOf(CLAIMS.devices.vxlan[family]);
  }

  /** Looked up once: an entry goes to the device that has the name now, wherever it was when it was planned. */
  #indexOf(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const link = this.#kernel.netlink.findLink(name);
    if (link === undefined) throw new Fault("NoDevice", noDevice(name));
    this.#indexes.set(name, link.index);
    return link.index;
  }
}

/** "Nexthop has invalid gateway", and what IPv6 says of the same. */
function isNoWay(error: unknown): boolean {
  return isFault(error) && ["ENETUNREACH", "EHOSTUNREACH", "EINVAL"].includes(error.code);
}

function noDevice(name: string): string {
  return `Cannot reach peers: no device "${name}"`;
}
