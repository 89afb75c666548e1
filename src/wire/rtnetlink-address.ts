/** Addresses of links. @see rtnetlink(7), linux/if_addr.h */
import {
  addressOf,
  cidrFamily,
  cidrOf,
  cidrSize,
  type IpPrefix,
  ipPrefixOf,
  nthIp,
  prefixLength,
} from "#addr/cidr";
import { FAMILY, type Family } from "#addr/family";
import { ipToBytes } from "#addr/ip";
import { body, type NlMessage, viewOf } from "./netlink.ts";
import { attribute, decodeAttributes, readU32, u32 } from "./netlink-attribute.ts";
import { familyOfAf, readIp } from "./rtnetlink-family.ts";
import { WireError } from "./wire-error.ts";

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

const IFA = { address: 1, local: 2, broadcast: 4, flags: 8 } as const;
const IFA_F_NODAD = 2;
const IFA_F_SECONDARY = 0x01;
const IFA_F_PERMANENT = 0x80;
/** `secondary` and `temporary` are one bit of two families. */
const MARKS = { duplicate: 0x08, deprecated: 0x20, tentative: 0x40 } as const;
const SCOPES = { global: 0, site: 200, link: 253, host: 254 } as const;
const HEADER_BYTES = 8;
const HEADER = { family: 0, prefix: 1, flags: 2, scope: 3, index: 4 } as const;

/** Whether a network's last address speaks to all of it. */
const HAS_BROADCAST = { 4: true, 6: false } as const satisfies Record<Family, boolean>;

export interface AddressMessage {
  readonly link: number;
  readonly address: IpPrefix;
  readonly scope: "global" | "link" | "host";
  /** Absent where there is nothing to say. */
  readonly marks?: readonly AddressMark[];
}

/** `dynamic`: it has a lifetime. `secondary`: another one of its network came first. `temporary`: made up for privacy.
 *  `tentative`: nobody knows yet whether somebody else has it, too. `deprecated`: nothing new is to begin with it. */
export type AddressMark = "dynamic" | "secondary" | "temporary" | keyof typeof MARKS;

/** The body of RTM_NEWADDR and RTM_DELADDR. */
export function encodeAddress(
  { link, address, scope }: AddressMessage,
  { noDad = false }: { noDad?: boolean } = {},
): Uint8Array[] {
  const ip = ipToBytes(addressOf(address));
  const header = addressHeader(FAMILY[cidrFamily(address)].af, link);
  header[HEADER.prefix] = prefixLength(address);
  header[HEADER.scope] = SCOPES[scope];
  return body(header, [
    attribute(IFA.local, ip),
    attribute(IFA.address, ip),
    broadcastOf(address),
    noDad ? u32(IFA.flags, IFA_F_NODAD) : undefined,
  ]);
}

export function encodeAddressQuery(): Uint8Array[] {
  return body(addressHeader(0, 0), []);
}

/** Reads RTM_NEWADDR; nothing for families that are not IP. @throws {WireError} */
export function decodeAddress({ payload }: NlMessage): AddressMessage | undefined {
  if (payload.length < HEADER_BYTES) throw new WireError("address", `${payload.length} bytes`);
  const family = familyOfAf(payload[HEADER.family]);
  if (family === undefined) return undefined;
  const attributes = decodeAttributes(payload.subarray(HEADER_BYTES));
  // On a point-to-point link `address` is the other end's.
  const ip = readIp(attributes, IFA.local, family) ?? readIp(attributes, IFA.address, family);
  const prefix = payload[HEADER.prefix] ?? 0;
  if (ip === undefined || prefix > FAMILY[family].bits) throw new WireError("address", "it has no address");
  const marks = marksOf(family, readU32(attributes, IFA.flags) ?? payload[HEADER.flags] ?? 0);
  return {
    link: viewOf(payload).getUint32(HEADER.index, true),
    address: ipPrefixOf(ip, prefix),
    scope: scopeOf(payload[HEADER.scope] ?? 0),
    ...(marks.length === 0 ? {} : { marks }),
  };
}

function marksOf(family: Family, flags: number): readonly AddressMark[] {
  const marks: AddressMark[] = (flags & IFA_F_PERMANENT) === 0 ? ["dynamic"] : [];
  if ((flags & IFA_F_SECONDARY) !== 0) marks.push(family === 4 ? "secondary" : "temporary");
  for (const mark of ["duplicate", "deprecated", "tentative"] as const)
    if ((flags & MARKS[mark]) !== 0) marks.push(mark);
  return marks;
}

function addressHeader(af: number, link: number): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header[HEADER.family] = af;
  viewOf(header).setUint32(HEADER.index, link, true);
  return header;
}

function broadcastOf(address: IpPrefix): Uint8Array | undefined {
  const network = cidrOf(addressOf(address), prefixLength(address));
  if (!HAS_BROADCAST[cidrFamily(address)] || cidrSize(network) < 4n) return undefined;
  return attribute(IFA.broadcast, ipToBytes(nthIp(network, cidrSize(network) - 1n)));
}

function scopeOf(scope: number): AddressMessage["scope"] {
  if (scope >= SCOPES.host) return "host";
  return scope >= SCOPES.link ? "link" : "global";
}
