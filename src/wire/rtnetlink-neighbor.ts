/** Neighbours of IP links, and forwarding entries (FDB) of vxlan links, which are neighbours of family AF_BRIDGE.
 *  @see rtnetlink(7), linux/neighbour.h */
import { FAMILY, type Family } from "#addr/family";
import { familyOf, type Ip, ipFromBytes, ipToBytes } from "#addr/ip";
import { type Mac, macFromBytes, macToBytes } from "#addr/mac";
import { body, type NlMessage, viewOf } from "./netlink.ts";
import { attribute, decodeAttributes, type NlAttributes } from "./netlink-attribute.ts";
import { familyOfAf, readIp } from "./rtnetlink-family.ts";
import { WireError } from "./wire-error.ts";

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

const NDA = { dst: 1, mac: 2 } as const;
const AF_BRIDGE = 7;
const PERMANENT = 0x80;
/** States that know no MAC: incomplete, failed, and links that need none. */
const WITHOUT_MAC = 0x01 | 0x20 | 0x40;
const SELF = 2;
const HEADER_BYTES = 12;
const HEADER = { family: 0, link: 4, state: 8, flags: 10 } as const;
const ETHERNET_BYTES = 6;

export interface NeighborMessage {
  readonly link: number;
  readonly ip: Ip;
  readonly mac: Mac;
  readonly isPermanent: boolean;
}

export interface FdbMessage {
  readonly link: number;
  readonly mac: Mac;
  readonly vtep: Ip;
}

/** The body of RTM_NEWNEIGH for a permanent neighbour, and of RTM_DELNEIGH when `mac` is left out. */
export function encodeNeighbor({ link, ip, mac }: { link: number; ip: Ip; mac?: Mac }): Uint8Array[] {
  const header = neighborHeader(FAMILY[familyOf(ip)].af, link, mac === undefined ? 0 : PERMANENT, 0);
  return body(header, [
    attribute(NDA.dst, ipToBytes(ip)),
    mac === undefined ? undefined : attribute(NDA.mac, macToBytes(mac)),
  ]);
}

/** The body of RTM_GETNEIGH for a dump of one family. */
export function encodeNeighborQuery(family: Family): Uint8Array[] {
  return body(neighborHeader(FAMILY[family].af, 0, 0, 0), []);
}

/** Reads RTM_NEWNEIGH; nothing for neighbours without a MAC. @throws {WireError} */
export function decodeNeighbor({ payload }: NlMessage): NeighborMessage | undefined {
  const { af, link, state, attributes } = readNeighbor(payload);
  const family = familyOfAf(af);
  if (family === undefined || (state & WITHOUT_MAC) !== 0) return undefined;
  const ip = readIp(attributes, NDA.dst, family);
  const mac = attributes.get(NDA.mac);
  if (ip === undefined || mac?.length !== ETHERNET_BYTES) return undefined;
  return { link, ip, mac: macFromBytes(mac), isPermanent: (state & PERMANENT) !== 0 };
}

/** Which neighbour RTM_NEWNEIGH and RTM_DELNEIGH are about, whatever is known of it. @throws {WireError} */
export function decodeNeighborTarget({ payload }: NlMessage): { link: number; ip: Ip } | undefined {
  const { af, link, attributes } = readNeighbor(payload);
  const family = familyOfAf(af);
  const ip = family && readIp(attributes, NDA.dst, family);
  return ip === undefined ? undefined : { link, ip };
}

/** The body of RTM_NEWNEIGH and RTM_DELNEIGH for an entry of the vxlan itself, not of a bridge above it. */
export function encodeFdb({ link, mac, vtep }: FdbMessage): Uint8Array[] {
  return body(neighborHeader(AF_BRIDGE, link, PERMANENT, SELF), [
    attribute(NDA.mac, macToBytes(mac)),
    attribute(NDA.dst, ipToBytes(vtep)),
  ]);
}

/** The body of RTM_GETNEIGH for a dump of one link's forwarding entries. */
export function encodeFdbQuery(link: number): Uint8Array[] {
  return body(neighborHeader(AF_BRIDGE, link, 0, 0), []);
}

/** Reads RTM_NEWNEIGH of family AF_BRIDGE; nothing for entries without a remote end. @throws {WireError} */
export function decodeFdb({ payload }: NlMessage): FdbMessage | undefined {
  const { af, link, attributes } = readNeighbor(payload);
  const mac = attributes.get(NDA.mac);
  const vtep = attributes.get(NDA.dst);
  if (af !== AF_BRIDGE || mac?.length !== ETHERNET_BYTES) return undefined;
  if (vtep?.length !== 4 && vtep?.length !== 16) return undefined;
  return { link, mac: macFromBytes(mac), vtep: ipFromBytes(vtep) };
}

function neighborHeader(af: number, link: number, state: number, flags: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = viewOf(header);
  header[HEADER.family] = af;
  view.setInt32(HEADER.link, link, true);
  view.setUint16(HEADER.state, state, true);
  header[HEADER.flags] = flags;
  return header;
}

function readNeighbor(payload: Uint8Array): {
  af: number;
  link: number;
  state: number;
  attributes: NlAttributes;
} {
  if (payload.length < HEADER_BYTES) throw new WireError("neighbour", `${payload.length} bytes`);
  const view = viewOf(payload);
  return {
    af: payload[HEADER.family] ?? 0,
    link: view.getInt32(HEADER.link, true),
    state: view.getUint16(HEADER.state, true),
    attributes: decodeAttributes(payload.subarray(HEADER_BYTES)),
  };
}
