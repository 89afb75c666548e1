import { addressOf, cidrFamily, cidrOf, prefixLength } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { isLoopback } from "#addr/ip";
import type { Address, Netlink } from "../kernel.ts";
import type { FakeNamespace } from "./namespace.ts";

const PROTOCOL_KERNEL = 2;
const TABLE_MAIN = 254;

/** The route that comes with an address: IPv4 makes none for a lone address and names itself as the source. */
const CONNECTED = {
  4: { metric: 0, longest: FAMILY[4].bits - 1, withSource: true },
  6: { metric: 256, longest: FAMILY[6].bits, withSource: false },
} as const;

type Addresses = Pick<Netlink, "listAddresses" | "addAddress" | "deleteAddress">;

export function fakeAddresses(here: FakeNamespace): Addresses {
  return {
    listAddresses: () => [...here.addresses],
    addAddress(index, address) {
      const link = here.link(index, `add address ${address} to link ${index}`);
      if (here.addresses.some((standing) => standing.link === index && standing.address === address)) return;
      const added: Address = {
        link: index,
        address,
        scope: isLoopback(addressOf(address)) ? "host" : "global",
      };
      here.addresses.push(added);
      if (link.isUp) connect(here, added);
    },
    deleteAddress(index, address) {
      const isIt = (standing: Address) => standing.link === index && standing.address === address;
      if (!here.addresses.some(isIt)) return;
      here.addresses = here.addresses.filter((standing) => !isIt(standing));
      disconnect(here, { link: index, address });
    },
  };
}

/** Adds the connected route of an address whose link is up. */
export function connect(here: FakeNamespace, { link, address }: Address): void {
  const { metric, longest, withSource } = CONNECTED[cidrFamily(address)];
  if (prefixLength(address) > longest || isLoopback(addressOf(address))) return;
  here.putRoute({
    to: cidrOf(addressOf(address), prefixLength(address)),
    via: undefined,
    link,
    onlink: false,
    table: TABLE_MAIN,
    protocol: PROTOCOL_KERNEL,
    metric,
    ...(withSource && { source: addressOf(address) }),
  });
}

/** Removes the connected route, and every route that sends from the address. */
function disconnect(here: FakeNamespace, { link, address }: Pick<Address, "link" | "address">): void {
  const to = cidrOf(addressOf(address), prefixLength(address));
  const shared = here.addresses.some(
    (other) => other.link === link && cidrOf(addressOf(other.address), prefixLength(other.address)) === to,
  );
  here.routes = here.routes.filter(
    (route) =>
      route.source !== addressOf(address) &&
      (shared || route.to !== to || route.link !== link || route.protocol !== PROTOCOL_KERNEL),
  );
}
