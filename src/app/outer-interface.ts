import { addressOf } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { familyOf, type Ip, isIp, isLinkLocal, isLoopback } from "#addr/ip";
import { Fault } from "#fault/fault";
import type { Link, Netlink } from "#kernel/kernel";
import type { InterfaceChoice } from "./config/read-fabric-alone.ts";
import { defaultRoutes } from "./default-routes.ts";

/** The interface between the nodes, and this machine's address on it in each family. */
export interface OuterInterface {
  readonly name: string;
  readonly ips: readonly Ip[];
}

type Looks = Pick<Netlink, "listLinks" | "listAddresses" | "listRoutes" | "lookupRoute">;

/** Finds it as flannel does: by name or address, by pattern, by a route, else by the default route. @throws {Fault} NoInterface */
export function findOuterInterface(netlink: Looks, choice: InterfaceChoice): OuterInterface {
  const links = netlink.listLinks();
  const addresses = netlink
    .listAddresses()
    .filter(({ scope }) => scope === "global")
    .map(({ address, link }) => ({ ip: addressOf(address), link }))
    .filter(({ ip }) => !isLoopback(ip) && !isLinkLocal(ip));
  const chosen = choose(netlink, links, addresses, choice);
  if (chosen === undefined)
    throw new Fault("NoInterface", `Cannot find the interface between nodes: ${missing(choice, links)}`);
  const { link, first } = chosen;
  const own = addresses.filter((each) => each.link === link.index).map(({ ip }) => ip);
  const ips = FAMILIES.flatMap(
    (family) => [...(first ? [first] : []), ...own].find((ip) => familyOf(ip) === family) ?? [],
  );
  if (ips.length > 0) return { name: link.name, ips };
  throw new Fault(
    "NoInterface",
    `Cannot use the interface ${link.name}: it has no address that other nodes could reach`,
  );
}

type Chosen = { readonly link: Link; readonly first?: Ip };

function choose(
  netlink: Looks,
  links: readonly Link[],
  addresses: readonly { readonly ip: Ip; readonly link: number }[],
  { named, matching, canReach }: InterfaceChoice,
): Chosen | undefined {
  const linkOf = (index: number | undefined) => links.find((link) => link.index === index);
  const at = (found: { readonly ip: Ip; readonly link: number } | undefined): Chosen | undefined => {
    const link = linkOf(found?.link);
    return link && found && { link, first: found.ip };
  };
  const by = (link: Link | undefined): Chosen | undefined => link && { link };
  for (const word of named) {
    const found = isIp(word)
      ? at(addresses.find(({ ip }) => ip === word))
      : by(links.find(({ name }) => name === word));
    if (found) return found;
  }
  for (const pattern of matching) {
    const found =
      at(addresses.find(({ ip }) => pattern.test(ip))) ?? by(links.find(({ name }) => pattern.test(name)));
    if (found) return found;
  }
  if (canReach !== undefined) return by(linkOf(netlink.lookupRoute(canReach)?.link));
  if (named.length + matching.length > 0) return undefined;
  return by(linkOf(FAMILIES.flatMap((family) => defaultRoutes(netlink, family))[0]?.link));
}

function missing({ named, matching, canReach }: InterfaceChoice, links: readonly Link[]): string {
  const there = `this machine has ${links.map(({ name }) => name).join(", ")}`;
  if (named.length + matching.length > 0)
    return `nothing is ${[...named, ...matching.map(String)].join(" or ")} (--iface, --iface-regex); ${there}`;
  if (canReach !== undefined) return `no route leads to ${canReach} (--iface-can-reach); ${there}`;
  return `there is no default route; name it with --iface; ${there}`;
}
