import { addressOf } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { familyOf, isLinkLocal, isLoopback } from "#addr/ip";
import { Fault } from "#fault/fault";
import type { Netlink } from "#kernel/kernel";

/** Returns when the interface named by `--flannel-iface` can carry the fabric. @param hasNodeIp whether the node was told its
 *  addresses; else they are the interface's, and there must be no choice. @throws {Fault} BadInterface with what is missing */
export function checkFlannelIface(
  netlink: Pick<Netlink, "listLinks" | "listAddresses">,
  iface: string,
  { hasNodeIp }: { readonly hasNodeIp: boolean },
): void {
  const links = netlink.listLinks();
  const link = links.find(({ name }) => name === iface);
  if (link === undefined)
    throw bad(iface, `there is none; this machine has ${links.map(({ name }) => name).join(", ")}`);
  if (!link.isUp) throw bad(iface, `it is down; run: ip link set ${iface} up`);
  const ips = netlink
    .listAddresses()
    .filter((address) => address.link === link.index && address.scope === "global")
    .map(({ address }) => addressOf(address))
    .filter((ip) => !isLoopback(ip) && !isLinkLocal(ip));
  if (ips.length === 0) throw bad(iface, "it has no address that other nodes could reach");
  for (const family of FAMILIES) {
    const own = ips.filter((ip) => familyOf(ip) === family);
    // An interface has several IPv6 addresses as a rule; the first is the one to use.
    if (family === 4 && own.length > 1 && !hasNodeIp)
      throw bad(iface, `it has ${own.length} IPv4 addresses, ${own.join(", ")}; choose one with --node-ip`);
  }
}

function bad(iface: string, why: string): Fault {
  return new Fault("BadInterface", `Cannot use --flannel-iface ${iface}: ${why}`, { detail: { iface } });
}
