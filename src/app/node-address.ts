/** This machine's own addresses, for a node that was not told any. */
import { addressOf, prefixLength } from "#addr/cidr";
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { familyOf, type Ip, isLinkLocal, isLoopback } from "#addr/ip";
import { Fault } from "#fault/fault";
import type { Address, Netlink } from "#kernel/kernel";
import { defaultRoutes } from "./default-routes.ts";

export interface AddressWish {
  /** The link by name; else the one of the default route. */
  readonly iface: string | undefined;
  /** What the node goes by so far: stays while it is there, whatever else comes. */
  readonly standing?: readonly Ip[];
}

type Looks = Pick<Netlink, "findLink" | "listAddresses" | "listRoutes">;

/** One address of each family that this machine has, IPv4 first. A family may have none yet.
 *  @throws {Fault} NoAddress when there is no link to look at, saying which flag to use */
export function findNodeIps(netlink: Looks, { iface, standing = [] }: AddressWish): readonly Ip[] {
  const named = iface === undefined ? undefined : netlink.findLink(iface)?.index;
  const defaults = FAMILIES.flatMap((family) => defaultRoutes(netlink, family).slice(0, 1));
  const anyLink = named ?? defaults[0]?.link;
  if (anyLink === undefined || (iface !== undefined && named === undefined)) throw noLink(iface);
  const addresses = netlink.listAddresses();
  return FAMILIES.flatMap((family) => {
    const route = defaults.find(({ to }) => familyOf(to) === family);
    const link = named ?? route?.link ?? anyLink;
    return chooseAddress(addresses, { family, link, standing, hint: route?.source }) ?? [];
  });
}

export interface AddressChoice {
  readonly family: Family;
  readonly link: number;
  readonly standing: readonly Ip[];
  /** What packets through the default route are sent from. */
  readonly hint: Ip | undefined;
}

/** The one that stays: what the node has been known by, what the default route says, and then what is least likely to go away.
 *  Addresses that are floated between machines come with a prefix of their own length, or after the link's own. */
export function chooseAddress(
  addresses: readonly Address[],
  { family, link, standing, hint }: AddressChoice,
): Ip | undefined {
  const candidates = addresses
    .filter((row) => row.link === link && row.scope === "global" && isUsable(row))
    .map((row) => ({ row, ip: addressOf(row.address) }))
    .filter(({ ip }) => familyOf(ip) === family && !isLoopback(ip) && !isLinkLocal(ip));
  const known = candidates.find(({ ip, row }) => standing.includes(ip) && !isDeprecated(row));
  const hinted = candidates.find(({ ip }) => ip === hint);
  const [best] = candidates.toSorted((a, b) => drawbacks(a.row, family) - drawbacks(b.row, family));
  return (known ?? hinted ?? best)?.ip;
}

/** The worse the higher. */
function drawbacks({ address, marks = [] }: Address, family: Family): number {
  return [
    marks.includes("dynamic"),
    marks.includes("secondary") || marks.includes("temporary"),
    prefixLength(address) === FAMILY[family].bits,
    marks.includes("deprecated"),
  ].reduce((sum, isSo, i) => sum + (isSo ? 1 << i : 0), 0);
}

function isUsable({ marks = [] }: Address): boolean {
  return !marks.includes("tentative") && !marks.includes("duplicate");
}

function isDeprecated({ marks = [] }: Address): boolean {
  return marks.includes("deprecated");
}

function noLink(iface: string | undefined): Fault {
  if (iface !== undefined)
    return new Fault(
      "NoAddress",
      `Cannot find this node's address: there is no interface ${iface} (--flannel-iface)`,
    );
  return new Fault(
    "NoAddress",
    "Cannot find this node's address: there is no default route; name it with --node-ip, or its interface with --flannel-iface",
  );
}
