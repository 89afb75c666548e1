import { addressOf, parseCidr } from "#addr/cidr";
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { familyOf, type Ip, isLinkLocal, isLoopback } from "#addr/ip";
import { Fault } from "#fault/fault";
import type { Netlink } from "#kernel/kernel";

/** This machine's addresses when none were named: the first global one of each family on the link of the default route.
 *  @throws {Fault} NoAddress saying which flag to use */
export function findNodeIps(netlink: Netlink, iface: string | undefined): readonly Ip[] {
  const link = iface === undefined ? defaultLink(netlink) : netlink.findLink(iface)?.index;
  const ips = netlink
    .listAddresses()
    .filter((address) => address.link === link && address.scope === "global")
    .map(({ address }) => addressOf(address))
    .filter((ip) => !isLoopback(ip) && !isLinkLocal(ip));
  const found = FAMILIES.flatMap((family) => ips.find((ip) => familyOf(ip) === family) ?? []);
  if (found.length > 0) return found;
  const where =
    iface === undefined ? "the interface of the default route" : `interface ${iface} (--flannel-iface)`;
  throw new Fault("NoAddress", `Cannot find this node's address on ${where}; name it with --node-ip`);
}

function defaultLink(netlink: Netlink): number | undefined {
  return FAMILIES.map(
    (family) => netlink.listRoutes(family).find((route) => route.to === everything(family))?.link,
  ).find((link) => link !== undefined);
}

function everything(family: Family) {
  return parseCidr(`${FAMILY[family].any}/0`);
}
