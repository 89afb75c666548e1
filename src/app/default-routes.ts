import { prefixLength } from "#addr/cidr";
import type { Family } from "#addr/family";
import type { Netlink, Route } from "#kernel/kernel";

const MAIN = 254;

/** The ways out of this machine, the one it takes first. Other tables are for some packets only: a VPN keeps a default route of its own
 *  there, as wg-quick(8) does. */
export function defaultRoutes(netlink: Pick<Netlink, "listRoutes">, family: Family): readonly Route[] {
  return netlink
    .listRoutes(family)
    .filter(({ to, table, kind }) => table === MAIN && prefixLength(to) === 0 && kind === undefined);
}
