import { addressOf, cidrFamily, cidrOf, containsCidr, prefixLength } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { Address, Link, Netlink, Route } from "#kernel/kernel";
import type { FabricConfig, Underlay } from "./model.ts";

/** The link each family's tunnel runs over: the one that carries this node's address or, where one is named, that one.
 *  A family without such a link is absent. */
export function observeUnderlays(
  netlink: Pick<Netlink, "listLinks" | "listAddresses" | "listRoutes">,
  config: Pick<FabricConfig, "nodeIps" | "iface">,
): { readonly 4?: Underlay; readonly 6?: Underlay } {
  const links = netlink.listLinks();
  const addresses = netlink.listAddresses();
  const found: { 4?: Underlay; 6?: Underlay } = {};
  for (const family of FAMILIES) {
    const local = chooseAddress(family, links, addresses, config);
    const link = local && links.find(({ index }) => index === local.link);
    if (local && link)
      found[family] = {
        index: link.index,
        name: link.name,
        mtuBytes: link.mtuBytes,
        local: local.ip,
        ...networksOn(link, family, { addresses, routes: netlink.listRoutes(family) }),
      };
  }
  return found;
}

/** An address says of its whole network that it is on the link, and so does a route without a gateway (a machine with a /32
 *  has nothing else). A route with one takes a part out. */
function networksOn(
  link: Link,
  family: Family,
  { addresses, routes }: { addresses: readonly Address[]; routes: readonly Route[] },
): Pick<Underlay, "connected" | "routed"> {
  const addressed = addresses
    .filter((row) => row.link === link.index && row.scope === "global")
    .map(({ address }) => cidrOf(addressOf(address), prefixLength(address)))
    .filter((network) => cidrFamily(network) === family);
  const foreign = routes.filter(
    ({ table, protocol }) => table === CLAIMS.routeTable && protocol !== CLAIMS.routeProtocol,
  );
  const direct = foreign.filter(({ via, link: index }) => via === undefined && index === link.index);
  const connected = [...new Set([...addressed, ...direct.map(({ to }) => to)])];
  const routed = foreign
    .filter(({ to, via }) => via !== undefined && connected.some((network) => containsCidr(network, to)))
    .map(({ to }) => to);
  return { connected, routed };
}

/** A node address first, for a link may carry floating addresses too; otherwise the named link's first global one. */
function chooseAddress(
  family: Family,
  links: readonly Link[],
  addresses: readonly Address[],
  { nodeIps, iface }: Pick<FabricConfig, "nodeIps" | "iface">,
): { readonly ip: Ip; readonly link: number } | undefined {
  const named = iface === undefined ? undefined : links.find(({ name }) => name === iface);
  if (iface !== undefined && named === undefined) return undefined;
  const candidates = addresses
    .filter(({ link, scope }) => scope === "global" && (named === undefined || link === named.index))
    .map(({ address, link }) => ({ ip: addressOf(address), link }))
    .filter(({ ip }) => familyOf(ip) === family);
  const own = candidates.find(({ ip }) => nodeIps.includes(ip));
  return own ?? (named ? candidates[0] : undefined);
}
