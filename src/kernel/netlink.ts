import { addressOf, cidrFamily } from "#addr/cidr";
import { isLoopback } from "#addr/ip";
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "#wire/netlink";
import {
  decodeAddress,
  encodeAddress,
  encodeAddressQuery,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
} from "#wire/rtnetlink-address";
import {
  decodeFdb,
  decodeNeighbor,
  encodeFdb,
  encodeFdbQuery,
  encodeNeighbor,
  encodeNeighborQuery,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from "#wire/rtnetlink-neighbor";
import {
  decodeRoute,
  decodeRouteLookup,
  encodeRoute,
  encodeRouteDeletion,
  encodeRouteLookup,
  encodeRouteQuery,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from "#wire/rtnetlink-route";
import { CLAIMS } from "./claims.ts";
import type { Netlink, RouteSpec } from "./kernel.ts";
import { tolerating } from "./netlink-error.ts";
import { linksOf } from "./netlink-links.ts";
import { pacesOf } from "./netlink-paces.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink-socket.ts";
import { OwnChanges } from "./own-changes.ts";

const PUT = NLM_F_CREATE | NLM_F_REPLACE;
/** Any maker's route is deleted when none is named. */
const ANY_PROTOCOL = 0;

type Addresses = Pick<Netlink, "listAddresses" | "addAddress" | "deleteAddress">;
type Routes = Pick<Netlink, "listRoutes" | "replaceRoute" | "deleteRoute" | "lookupRoute">;
type Neighbors = Pick<Netlink, "listNeighbors" | "replaceNeighbor" | "deleteNeighbor">;
type Fdb = Pick<Netlink, "listFdb" | "replaceFdb" | "deleteFdb">;

/** rtnetlink of the namespace this thread is in now; it stays that namespace's wherever the thread goes. What it changes is
 *  told to `own`. */
export function openNetlink(own = new OwnChanges()): Netlink {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  own.add(socket.port);
  return {
    ...linksOf(socket),
    ...pacesOf(socket),
    ...addressesOf(socket),
    ...routesOf(socket),
    ...neighborsOf(socket, own),
    ...fdbOf(socket, own),
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

function addressesOf(socket: NetlinkSocket): Addresses {
  const message = (link: number, address: Parameters<Netlink["addAddress"]>[1]) => ({
    link,
    address,
    scope: isLoopback(addressOf(address)) ? ("host" as const) : ("global" as const),
  });
  return {
    listAddresses: () =>
      socket.dump({ type: RTM_GETADDR, op: "list addresses", parts: encodeAddressQuery() }, decodeAddress),
    addAddress: (link, address, options = {}) =>
      tolerating(["EEXIST"], () =>
        socket.change({
          type: RTM_NEWADDR,
          flags: NLM_F_CREATE | NLM_F_EXCL,
          op: `add address ${address} to link ${link}`,
          parts: encodeAddress(message(link, address), options),
        }),
      ),
    deleteAddress: (link, address) =>
      tolerating(["EADDRNOTAVAIL", "ENODEV"], () =>
        socket.change({
          type: RTM_DELADDR,
          op: `delete address ${address} of link ${link}`,
          parts: encodeAddress(message(link, address)),
        }),
      ),
  };
}

function routesOf(socket: NetlinkSocket): Routes {
  return {
    listRoutes(family) {
      const query = { type: RTM_GETROUTE, op: `list IPv${family} routes`, parts: encodeRouteQuery(family) };
      // A kernel without IPv6 answers for the families it has.
      return socket.dump(query, decodeRoute).filter(({ to }) => cidrFamily(to) === family);
    },
    replaceRoute: (route) =>
      socket.change({
        type: RTM_NEWROUTE,
        flags: PUT,
        op: `set route ${routeText(route)}`,
        parts: encodeRoute(filled(route, CLAIMS.routeProtocol)),
      }),
    deleteRoute: (route) =>
      tolerating(["ESRCH", "ENODEV"], () =>
        socket.change({
          type: RTM_DELROUTE,
          op: `delete route ${routeText(route)}`,
          parts: encodeRouteDeletion(filled(route, ANY_PROTOCOL)),
        }),
      ),
    lookupRoute: (to) => {
      const request = { type: RTM_GETROUTE, op: `look up the route to ${to}`, parts: encodeRouteLookup(to) };
      return tolerating(["ENETUNREACH", "EHOSTUNREACH", "EACCES"], () =>
        decodeRouteLookup(socket.get(request)),
      );
    },
  };
}

function neighborsOf(socket: NetlinkSocket, own: OwnChanges): Neighbors {
  return {
    listNeighbors: (family) =>
      socket.dump(
        { type: RTM_GETNEIGH, op: `list IPv${family} neighbours`, parts: encodeNeighborQuery(family) },
        decodeNeighbor,
      ),
    replaceNeighbor: (neighbor) =>
      socket.change({
        type: RTM_NEWNEIGH,
        flags: PUT,
        op: `set neighbour ${neighbor.ip} at ${neighbor.mac} on link ${neighbor.link}`,
        parts: encodeNeighbor(neighbor),
      }),
    deleteNeighbor: ({ link, ip }) => {
      own.expect({ change: "deleted", link, ip });
      tolerating(["ENOENT", "ENODEV", "ENXIO"], () =>
        socket.change({
          type: RTM_DELNEIGH,
          op: `delete neighbour ${ip} of link ${link}`,
          parts: encodeNeighbor({ link, ip }),
        }),
      );
    },
  };
}

function fdbOf(socket: NetlinkSocket, own: OwnChanges): Fdb {
  return {
    listFdb: (link) =>
      socket.dump(
        { type: RTM_GETNEIGH, op: `list forwarding entries of link ${link}`, parts: encodeFdbQuery(link) },
        decodeFdb,
      ),
    replaceFdb(entry) {
      own.expect({ ...entry, change: "set" });
      socket.change({
        type: RTM_NEWNEIGH,
        flags: PUT,
        op: `set forwarding entry ${entry.mac} to ${entry.vtep} on link ${entry.link}`,
        parts: encodeFdb(entry),
      });
    },
    deleteFdb(entry) {
      own.expect({ ...entry, change: "deleted" });
      tolerating(["ENOENT", "ENODEV"], () =>
        socket.change({
          type: RTM_DELNEIGH,
          op: `delete forwarding entry ${entry.mac} to ${entry.vtep} of link ${entry.link}`,
          parts: encodeFdb(entry),
        }),
      );
    },
  };
}

function filled(route: RouteSpec, protocol: number) {
  return { via: undefined, onlink: false, table: CLAIMS.routeTable, protocol, ...route };
}

function routeText({ to, via, link, kind }: RouteSpec): string {
  if (kind !== undefined) return `${kind} ${to}`;
  return `${to}${via ? ` via ${via}` : ""} on link ${link}`;
}
