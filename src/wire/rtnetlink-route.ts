/** Routes that lead somewhere, and those that say that nothing does. @see rtnetlink(7), linux/rtnetlink.h */
import { addressOf, type Cidr, cidrFamily, cidrOf, prefixLength } from "#addr/cidr";
import { FAMILY, type Family } from "#addr/family";
import { familyOf, type Ip, ipFromBytes, ipToBytes, parseIp } from "#addr/ip";
import { body, type NlMessage, viewOf } from "./netlink.ts";
import { attribute, decodeAttributes, type NlAttributes, readU32, u32 } from "./netlink-attribute.ts";
import { familyOfAf, readIp } from "./rtnetlink-family.ts";
import { WireError } from "./wire-error.ts";

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

const RTA = { to: 1, link: 4, gateway: 5, metric: 6, source: 7, multipath: 9, table: 15, via: 18 } as const;
const HEADER_BYTES = 12;
const HEADER = { family: 0, prefix: 1, table: 4, protocol: 5, scope: 6, type: 7, flags: 8 } as const;
const TYPE = { any: 0, unicast: 1, local: 2, unreachable: 7 } as const;
const SCOPE = { global: 0, link: 253, any: 255 } as const;
const TABLE_LOCAL = 255;
const RTNH_F_ONLINK = 4;
/** Answers a lookup with the table it was found in, instead of always `main`; IPv6 always does, and refuses to be asked. */
const LOOKUP_TABLE = { 4: 0x1000, 6: 0 } as const;
/** What a route gets that asks for nothing. */
const PLAIN_METRIC = { 4: 0, 6: 1024 } as const;
/** A hop of a route with several: u16 length, u8 flags, u8 weight, i32 link, attributes. */
const NEXT_HOP_BYTES = 8;

export interface RouteMessage {
  readonly to: Cidr;
  readonly via: Ip | undefined;
  readonly link: number;
  readonly onlink: boolean;
  readonly table: number;
  readonly protocol: number;
  readonly source?: Ip | undefined;
  /** The smallest of a destination wins. Absent: what the kernel gives where nothing is asked for. */
  readonly metric?: number | undefined;
  /** Packets are answered with ICMP instead of being sent; such a route has link 0. */
  readonly kind?: "unreachable" | undefined;
}

/** The body of RTM_NEWROUTE. */
export function encodeRoute(route: RouteMessage): Uint8Array[] {
  const header = routeHeader(route);
  const isUnreachable = route.kind === "unreachable";
  header[HEADER.scope] = route.via || isUnreachable ? SCOPE.global : SCOPE.link;
  header[HEADER.type] = isUnreachable ? TYPE.unreachable : TYPE.unicast;
  viewOf(header).setUint32(HEADER.flags, route.onlink ? RTNH_F_ONLINK : 0, true);
  return body(header, routeAttributes(route));
}

/** The body of RTM_DELROUTE: the route that agrees with all that is said; protocol 0, no `via`, no `metric` and no `kind` agree with
 *  any. IPv6 goes by no kind. */
export function encodeRouteDeletion(route: RouteMessage): Uint8Array[] {
  const header = routeHeader(route);
  header[HEADER.scope] = SCOPE.any;
  header[HEADER.type] = route.kind === "unreachable" ? TYPE.unreachable : TYPE.any;
  return body(header, routeAttributes(route));
}

/** The body of RTM_GETROUTE for a dump of one family. */
export function encodeRouteQuery(family: Family): Uint8Array[] {
  const header = new Uint8Array(HEADER_BYTES);
  header[HEADER.family] = FAMILY[family].af;
  return body(header, []);
}

/** The body of RTM_GETROUTE that asks which way a packet to `to` would take. */
export function encodeRouteLookup(to: Ip): Uint8Array[] {
  const family = familyOf(to);
  const { af, bits } = FAMILY[family];
  const header = new Uint8Array(HEADER_BYTES);
  header[HEADER.family] = af;
  header[HEADER.prefix] = bits;
  viewOf(header).setUint32(HEADER.flags, LOOKUP_TABLE[family], true);
  return body(header, [attribute(RTA.to, ipToBytes(to))]);
}

/** Reads RTM_NEWROUTE of a dump; nothing for routes of other kinds, and for those that the kernel keeps in `local`.
 *  Of several next hops the first stands for all. @throws {WireError} */
export function decodeRoute(message: NlMessage): RouteMessage | undefined {
  const route = decodeAnyRoute(message);
  if (route === undefined || route.table === TABLE_LOCAL) return undefined;
  return route.type === TYPE.unicast || route.type === TYPE.unreachable ? route.route : undefined;
}

/** Reads the answer of a lookup, which may be a local route. @throws {WireError} */
export function decodeRouteLookup(message: NlMessage): RouteMessage | undefined {
  const route = decodeAnyRoute(message);
  return route?.type === TYPE.unicast || route?.type === TYPE.local ? route.route : undefined;
}

function decodeAnyRoute({
  payload,
}: NlMessage): { type: number; table: number; route: RouteMessage } | undefined {
  if (payload.length < HEADER_BYTES) throw new WireError("route", `${payload.length} bytes`);
  const family = familyOfAf(payload[HEADER.family]);
  if (family === undefined) return undefined;
  const attributes = decodeAttributes(payload.subarray(HEADER_BYTES));
  const hop = firstHop(attributes, family);
  const prefix = payload[HEADER.prefix] ?? 0;
  if (prefix > FAMILY[family].bits) throw new WireError("route", `prefix ${prefix} of IPv${family}`);
  const to = readIp(attributes, RTA.to, family) ?? parseIp(FAMILY[family].any);
  const table = readU32(attributes, RTA.table) ?? payload[HEADER.table] ?? 0;
  const source = readIp(attributes, RTA.source, family);
  const onlink = ((viewOf(payload).getUint32(HEADER.flags, true) | hop.flags) & RTNH_F_ONLINK) !== 0;
  const protocol = payload[HEADER.protocol] ?? 0;
  const type = payload[HEADER.type] ?? 0;
  const isUnreachable = type === TYPE.unreachable;
  const metric = readU32(attributes, RTA.metric) ?? PLAIN_METRIC[family];
  const route: RouteMessage = {
    to: cidrOf(to, prefix),
    via: hop.via,
    // IPv6 says that it is on lo.
    link: isUnreachable ? 0 : hop.link,
    onlink,
    table,
    protocol,
    ...(source ? { source } : {}),
    ...(metric === PLAIN_METRIC[family] ? {} : { metric }),
    ...(isUnreachable ? { kind: "unreachable" } : {}),
  };
  return { type, table, route };
}

function firstHop(
  attributes: NlAttributes,
  family: Family,
): { via: Ip | undefined; link: number; flags: number } {
  const multipath = attributes.get(RTA.multipath);
  if (multipath === undefined || multipath.length < NEXT_HOP_BYTES)
    return { via: gateway(attributes, family), link: readU32(attributes, RTA.link) ?? 0, flags: 0 };
  const view = viewOf(multipath);
  const own = decodeAttributes(multipath.subarray(NEXT_HOP_BYTES, view.getUint16(0, true)));
  return { via: gateway(own, family), link: view.getInt32(4, true), flags: multipath[2] ?? 0 };
}

/** The next hop; RTA_VIA is one of another family than the route's: u16 family, then its bytes. */
function gateway(attributes: NlAttributes, family: Family): Ip | undefined {
  const via = attributes.get(RTA.via)?.subarray(2);
  if (via?.length === 4 || via?.length === 16) return ipFromBytes(via);
  return readIp(attributes, RTA.gateway, family);
}

function routeHeader({ to, table, protocol }: RouteMessage): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header[HEADER.family] = FAMILY[cidrFamily(to)].af;
  header[HEADER.prefix] = prefixLength(to);
  header[HEADER.table] = table < 256 ? table : 0;
  header[HEADER.protocol] = protocol;
  return header;
}

function routeAttributes(route: RouteMessage): (Uint8Array | undefined)[] {
  const { to, via, link, table, source, metric } = route;
  return [
    prefixLength(to) === 0 ? undefined : attribute(RTA.to, ipToBytes(addressOf(to))),
    via && attribute(familyOf(via) === cidrFamily(to) ? RTA.gateway : RTA.via, gatewayBytes(via, to)),
    link === 0 ? undefined : u32(RTA.link, link),
    metric === undefined ? undefined : u32(RTA.metric, metric),
    source && attribute(RTA.source, ipToBytes(source)),
    table < 256 ? undefined : u32(RTA.table, table),
  ];
}

function gatewayBytes(via: Ip, to: Cidr): Uint8Array {
  const bytes = ipToBytes(via);
  if (familyOf(via) === cidrFamily(to)) return bytes;
  return Uint8Array.of(FAMILY[familyOf(via)].af, 0, ...bytes);
}
