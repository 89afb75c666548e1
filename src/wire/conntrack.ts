/** Tracked connections as ctnetlink carries them. @see linux/netfilter/nfnetlink_conntrack.h */
import { FAMILY, type Family } from "#addr/family";
import { familyOf, type Ip, ipFromBytes, ipToBytes } from "#addr/ip";
import {
  attribute,
  decodeAttributes,
  type NlAttributes,
  nest,
  nested,
  readU8,
  readU16be,
  u8,
  u16be,
  u32,
} from "./netlink-attribute.ts";
import { afterNfGenMsg } from "./nfnetlink.ts";
import { WireError } from "./wire-error.ts";

export const IPCTNL_MSG_CT_GET = 1;
export const IPCTNL_MSG_CT_DELETE = 2;

const CTA = { original: 1, reply: 2, zone: 18, filter: 25 } as const;
const TUPLE = { ip: 1, protocol: 2 } as const;
const PROTOCOL = { number: 1, sourcePort: 2, destinationPort: 3 } as const;
const ADDRESS = { 4: { source: 1, destination: 2 }, 6: { source: 3, destination: 4 } } as const;

const FILTER = { originalFlags: 1, byProtocol: 1 << 3, byDestinationPort: 1 << 5 } as const;

/** One direction of a connection: as its packets look on the wire. */
export interface WireTuple {
  readonly source: Ip;
  readonly destination: Ip;
  /** 0 for protocols without ports. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface WireFlow {
  readonly family: Family;
  readonly protocol: number;
  readonly original: WireTuple;
  readonly reply: WireTuple;
  /** Zone of connection tracking; 0 is the default one. */
  readonly zone: number;
}

/** @returns undefined for a family that is neither IPv4 nor IPv6. @throws {WireError} */
export function decodeFlow(payload: Uint8Array): WireFlow | undefined {
  const { family: af, attributes: bytes } = afterNfGenMsg(payload);
  const family = af === FAMILY[4].af ? 4 : af === FAMILY[6].af ? 6 : undefined;
  if (family === undefined) return undefined;
  const attributes = decodeAttributes(bytes);
  const original = nested(attributes, CTA.original);
  return {
    family,
    protocol: readU8(nested(original, TUPLE.protocol), PROTOCOL.number) ?? 0,
    original: decodeTuple(family, original),
    reply: decodeTuple(family, nested(attributes, CTA.reply)),
    zone: readU16be(attributes, CTA.zone) ?? 0,
  };
}

/** The attributes that name a connection, for deleting it. */
export function encodeFlowName(
  flow: Pick<WireFlow, "protocol" | "original"> & { zone?: number },
): Uint8Array[] {
  const { protocol, original, zone = 0 } = flow;
  const at = ADDRESS[familyOf(original.source)];
  const tuple = nest(
    CTA.original,
    nest(
      TUPLE.ip,
      attribute(at.source, ipToBytes(original.source)),
      attribute(at.destination, ipToBytes(original.destination)),
    ),
    nest(
      TUPLE.protocol,
      u8(PROTOCOL.number, protocol),
      u16be(PROTOCOL.sourcePort, original.sourcePort),
      u16be(PROTOCOL.destinationPort, original.destinationPort),
    ),
  );
  return zone === 0 ? [tuple] : [tuple, u16be(CTA.zone, zone)];
}

/** The attributes that ask for connections of one protocol, and of those for the ones sent to one port where it is given. Kernels
 *  before 5.8 pass over them and tell of all. @see CTA_FILTER_F_* in net/netfilter/nf_internals.h */
export function encodeFlowFilter({
  protocol,
  toPort,
}: {
  readonly protocol: number;
  readonly toPort?: number | undefined;
}): Uint8Array[] {
  const port = toPort === undefined ? [] : [u16be(PROTOCOL.destinationPort, toPort)];
  const flags = FILTER.byProtocol | (toPort === undefined ? 0 : FILTER.byDestinationPort);
  return [
    nest(CTA.original, nest(TUPLE.protocol, u8(PROTOCOL.number, protocol), ...port)),
    nest(CTA.filter, u32(FILTER.originalFlags, flags)),
  ];
}

function decodeTuple(family: Family, tuple: NlAttributes): WireTuple {
  const ip = nested(tuple, TUPLE.ip);
  const protocol = nested(tuple, TUPLE.protocol);
  return {
    source: address(ip, family, "source"),
    destination: address(ip, family, "destination"),
    sourcePort: readU16be(protocol, PROTOCOL.sourcePort) ?? 0,
    destinationPort: readU16be(protocol, PROTOCOL.destinationPort) ?? 0,
  };
}

function address(ip: NlAttributes, family: Family, side: "source" | "destination"): Ip {
  const bytes = ip.get(ADDRESS[family][side]);
  if (bytes?.length !== FAMILY[family].bytes)
    throw new WireError("conntrack tuple", `its ${side} address has ${bytes?.length ?? 0} bytes`);
  return ipFromBytes(bytes);
}
