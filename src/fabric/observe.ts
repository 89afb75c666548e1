import { addressOf, type Cidr, cidrFamily, containsCidr } from "#addr/cidr";
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { familyOf, type Ip, isLinkLocal, parseIp } from "#addr/ip";
import type { Mac } from "#addr/mac";
import { isFault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import type { Link, NetKernel, Netlink, Route } from "#kernel/kernel";
import { isDeadEnd } from "./dead-end.ts";
import { observeMembers } from "./guard.ts";
import {
  BRIDGED,
  type FabricState,
  type FdbTarget,
  FORWARDING,
  fdbKey,
  type PodRoute,
  type Program,
  type Vtep,
} from "./model.ts";
import { findProgram } from "./program.ts";
import { observeTunnels } from "./wireguard/observe.ts";

/** Routes that the kernel makes by itself, such as an address's own network. */
const PROTOCOL_KERNEL = 2;

/** What stands in the kernel of all that the fabric keeps there. Entries on our devices count as ours whoever made them:
 *  so a node that ran flannel is taken over, and what is wrong goes. */
export function observeFabric(
  kernel: NetKernel,
  { clusterCidrs, nowMs }: { clusterCidrs: readonly Cidr[]; nowMs: number },
): FabricState {
  const { netlink } = kernel;
  const links = FAMILIES.flatMap((family) => {
    const link = netlink.findLink(CLAIMS.devices.vxlan[family]);
    return link ? [{ family, link }] : [];
  });
  const tunnels = observeTunnels(kernel, { nowMs });
  const program = observeProgram(kernel);
  const members = program && observeMembers(kernel.nft);
  return {
    vteps: observeVteps(netlink, links),
    tunnels,
    neighbors: observeNeighbors(netlink, links),
    fdb: observeFdb(netlink, links),
    ...observeRoutes(
      netlink,
      new Set([...links.map(({ link }) => link.name), ...tunnels.keys()]),
      clusterCidrs,
    ),
    refused: new Map(),
    program: members && program,
    members: members ?? new Set(),
    sysctls: observeSysctls(
      kernel,
      clusterCidrs.map(cidrFamily).flatMap((family) => [...FORWARDING[family], ...BRIDGED[family]]),
    ),
  };
}

interface VtepLink {
  readonly family: Family;
  readonly link: Link;
}

function observeVteps(netlink: Netlink, links: readonly VtepLink[]): FabricState["vteps"] {
  const vteps: { 4?: Vtep; 6?: Vtep } = {};
  const addresses = links.length > 0 ? netlink.listAddresses() : [];
  for (const { family, link } of links) {
    const own = addresses.filter((row) => row.link === link.index && familyOf(row.address) === family);
    vteps[family] = {
      name: link.name,
      // A device of another kind that has our name fits nothing, and is replaced.
      ...(link.vxlan ?? { vni: 0, port: 0, underlay: 0, learning: true, local: parseIp(FAMILY[family].any) }),
      gbp: link.vxlan?.gbp ?? false,
      mac: link.mac,
      mtuBytes: link.mtuBytes,
      isUp: link.isUp,
      addresses: own.map(({ address }) => address).filter((address) => !isLinkLocal(addressOf(address))),
    };
  }
  return vteps;
}

function observeNeighbors(netlink: Netlink, links: readonly VtepLink[]): ReadonlyMap<Ip, Mac> {
  const found = new Map<Ip, Mac>();
  for (const { family, link } of links)
    for (const row of netlink.listNeighbors(family))
      if (row.link === link.index && row.isPermanent) found.set(row.ip, row.mac);
  return found;
}

function observeFdb(netlink: Netlink, links: readonly VtepLink[]): ReadonlyMap<string, FdbTarget> {
  const found = new Map<string, FdbTarget>();
  for (const { family, link } of links)
    for (const { mac, vtep } of netlink.listFdb(link.index))
      found.set(fdbKey(family, mac), { family, mac, vtep });
  return found;
}

function observeRoutes(
  netlink: Netlink,
  devices: ReadonlySet<string>,
  clusterCidrs: readonly Cidr[],
): Pick<FabricState, "routes" | "deadEnds" | "strays"> {
  const routes = new Map<Cidr, PodRoute>();
  const deadEnds = new Set<Cidr>();
  const names = new Map(netlink.listLinks().map(({ index, name }) => [index, name]));
  const strays: Route[] = [];
  const leadsToPods = ({ to }: Route) => clusterCidrs.some((network) => containsCidr(network, to));
  for (const family of FAMILIES) {
    for (const route of netlink.listRoutes(family)) {
      if (route.table !== CLAIMS.routeTable || route.protocol === PROTOCOL_KERNEL) continue;
      const isOurs = route.protocol === CLAIMS.routeProtocol && leadsToPods(route);
      if (isOurs && isDeadEnd(route) && clusterCidrs.includes(route.to)) {
        deadEnds.add(route.to);
        continue;
      }
      if (isOurs && route.kind !== undefined) {
        strays.push(route);
        continue;
      }
      const device = names.get(route.link);
      if (device === undefined || !(isOurs || devices.has(device))) continue;
      const { to, via, onlink } = route;
      // Of two ways to one subnet, which may differ in what is not looked at here, one is a stray.
      if (routes.has(to)) strays.push(route);
      else routes.set(to, { device, onlink, ...(via === undefined ? {} : { via }) });
    }
  }
  return { routes, deadEnds, strays };
}

function observeProgram(kernel: NetKernel): Program | undefined {
  try {
    return findProgram(kernel.nft.list(`list table inet ${CLAIMS.tables.fabric}`));
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Without those that this kernel does not have. */
function observeSysctls(kernel: NetKernel, names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    names.flatMap((name) => {
      const value = readSetting(kernel, name);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

export function readSetting({ sysctl }: Pick<NetKernel, "sysctl">, name: string): string | undefined {
  try {
    return sysctl.read(name);
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}
