/** What a vxlan link carries in IFLA_INFO_DATA. @see linux/if_link.h, IFLA_VXLAN_* */
import { FAMILY } from "#addr/family";
import { familyOf, type Ip, ipFromBytes, ipToBytes, parseIp } from "#addr/ip";
import {
  attribute,
  flag,
  type NlAttributes,
  readU8,
  readU16be,
  readU32,
  u8,
  u16be,
  u32,
} from "./netlink-attribute.ts";

const ID = 1;
const LINK = 3;
const LEARNING = 7;
const PORT_RANGE = 10;
const PORT = 15;
const GBP = 23;
/** The same fact under another number per family. */
const GROUP = { 4: 2, 6: 16 } as const;
const LOCAL = { 4: 4, 6: 17 } as const;
const BYTES = { ttl: 5, tos: 6 } as const;
const WORDS = { ageingSeconds: 8, limit: 9 } as const;
const SWITCHES = {
  proxy: 11,
  rsc: 12,
  l2miss: 13,
  l3miss: 14,
  udpChecksum: 18,
  zeroChecksum6Tx: 19,
  zeroChecksum6Rx: 20,
} as const;

type Options<K extends string, T> = { readonly [P in K]?: T };

/** A vxlan's settings. What a request leaves out gets the kernel's default; what the kernel lists is all there. */
export interface VxlanData
  extends Options<keyof typeof BYTES | keyof typeof WORDS, number>,
    Options<keyof typeof SWITCHES, boolean> {
  readonly vni: number;
  /** UDP, of the tunnel itself. */
  readonly port: number;
  /** The underlay's index; 0 for none. */
  readonly underlay: number;
  /** Source of the tunnel's packets; the wildcard address where none was set. */
  readonly local: Ip;
  readonly learning: boolean;
  /** Multicast group or single peer that unknown destinations go to. */
  readonly group?: Ip;
  /** UDP source ports, both ends included. */
  readonly sourcePorts?: { readonly from: number; readonly to: number };
  /** Group policy extension. */
  readonly gbp?: boolean;
}

/** All of a new device, or what is to change of one that stands. */
export function encodeVxlan(data: Partial<VxlanData>): (Uint8Array | undefined)[] {
  const { vni, underlay = 0, local, group, port, learning } = data;
  return [
    vni === undefined ? undefined : u32(ID, vni),
    underlay === 0 ? undefined : u32(LINK, underlay),
    local === undefined || isWildcard(local)
      ? undefined
      : attribute(LOCAL[familyOf(local)], ipToBytes(local)),
    group && attribute(GROUP[familyOf(group)], ipToBytes(group)),
    port === undefined ? undefined : u16be(PORT, port),
    learning === undefined ? undefined : u8(LEARNING, Number(learning)),
    ...encodeRows(BYTES, data, u8),
    ...encodeRows(WORDS, data, u32),
    ...encodeRows(SWITCHES, data, u8),
    data.sourcePorts && attribute(PORT_RANGE, rangeBytes(data.sourcePorts)),
    data.gbp ? flag(GBP) : undefined,
  ];
}

/** @throws {WireError} when a number is cut short */
export function decodeVxlan(attributes: NlAttributes): VxlanData {
  const group = readIp(attributes, GROUP);
  const range = attributes.get(PORT_RANGE);
  return {
    vni: readU32(attributes, ID) ?? 0,
    port: readU16be(attributes, PORT) ?? 0,
    underlay: readU32(attributes, LINK) ?? 0,
    local: readIp(attributes, LOCAL) ?? parseIp(FAMILY[4].any),
    learning: readU8(attributes, LEARNING) === 1,
    ...decodeRows(BYTES, (type) => readU8(attributes, type)),
    ...decodeRows(WORDS, (type) => readU32(attributes, type)),
    ...decodeRows(SWITCHES, (type) => switchOf(readU8(attributes, type))),
    ...(group && { group }),
    ...(range?.length === 4 && { sourcePorts: rangeOf(range) }),
    gbp: attributes.has(GBP),
  };
}

function encodeRows<R extends Readonly<Record<string, number>>>(
  rows: R,
  data: Options<keyof R & string, number | boolean>,
  encode: (type: number, value: number) => Uint8Array,
): (Uint8Array | undefined)[] {
  return entries(rows).map(([name, type]) => {
    const value = data[name];
    return value === undefined ? undefined : encode(type, Number(value));
  });
}

function decodeRows<K extends string, T>(
  rows: Readonly<Record<K, number>>,
  read: (type: number) => T | undefined,
): { [P in K]?: T } {
  const out: { [P in K]?: T } = {};
  for (const [name, type] of entries(rows)) {
    const value = read(type);
    if (value !== undefined) out[name] = value;
  }
  return out;
}

/** `Object.entries` that keeps what it knows of the keys. */
function entries<R extends Readonly<Record<string, number>>>(rows: R): [keyof R & string, number][] {
  return Object.entries(rows);
}

function switchOf(value: number | undefined): boolean | undefined {
  return value === undefined ? undefined : value !== 0;
}

function readIp(attributes: NlAttributes, types: { 4: number; 6: number }): Ip | undefined {
  const bytes = attributes.get(types[4]) ?? attributes.get(types[6]);
  return bytes?.length === 4 || bytes?.length === 16 ? ipFromBytes(bytes) : undefined;
}

function isWildcard(ip: Ip): boolean {
  return ip === FAMILY[familyOf(ip)].any;
}

function rangeBytes({ from, to }: { from: number; to: number }): Uint8Array {
  return Uint8Array.of(from >> 8, from & 0xff, to >> 8, to & 0xff);
}

function rangeOf(bytes: Uint8Array): { from: number; to: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { from: view.getUint16(0), to: view.getUint16(2) };
}
