/** ICMP and ICMPv6, as far as probing a path needs them: echo requests, and what may come back.
 *  @see RFC 792, RFC 1191, RFC 4443 */
import { FAMILY, type Family } from "#addr/family";
import { type Ip, ipFromBytes } from "#addr/ip";
import { internetChecksum } from "./internet-checksum.ts";
import { viewOf } from "./netlink.ts";
import { PROTOCOL_UDP } from "./udp-packet.ts";
import { WireError } from "./wire-error.ts";

const HEADER_BYTES = 8;

/** What a family calls the same things, and where its IP header has them. */
export const ICMP = {
  4: {
    protocol: 1,
    request: 8,
    reply: 0,
    unreachable: 3,
    portCode: 3,
    tooBig: { type: 3, code: 4, mtuAt: 6 },
    ip: { bytes: 20, protocolAt: 9, toAt: 16 },
  },
  6: {
    protocol: 58,
    request: 128,
    reply: 129,
    unreachable: 1,
    portCode: 4,
    tooBig: { type: 2, code: 0, mtuAt: 6 }, // 32 bits at 4, of which the lower half is at 6
    ip: { bytes: 40, protocolAt: 6, toAt: 24 },
  },
} as const;

export interface Echo {
  readonly identifier: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** What a router or the other end says about a packet that it quotes. */
export type Quoted =
  | { readonly kind: "datagram"; readonly to: Ip; readonly sourcePort: number; readonly port: number }
  | { readonly kind: "echo"; readonly to: Ip; readonly identifier: number; readonly sequence: number };

export type IcmpMessage =
  | ({ readonly kind: "reply" } & Echo)
  | { readonly kind: "port-unreachable" | "unreachable"; readonly quoted: Quoted }
  | { readonly kind: "too-big"; readonly mtuBytes: number; readonly quoted: Quoted };

/** Without the IP header. In IPv6 the kernel fills in the checksum, for that counts in the addresses. */
export function encodeEchoRequest(family: Family, { identifier, sequence, payload }: Echo): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + payload.length);
  const view = viewOf(out);
  view.setUint8(0, ICMP[family].request);
  view.setUint16(4, identifier);
  view.setUint16(6, sequence);
  out.set(payload, HEADER_BYTES);
  if (family === 4) view.setUint16(2, internetChecksum(out));
  return out;
}

/** Reads what a raw socket received: in IPv4 that starts with the IP header, in IPv6 it does not. Nothing when it is neither an
 *  answer to an echo nor about a packet such as ours. @throws {WireError} when it is cut short */
export function decodeIcmp(family: Family, received: Uint8Array): IcmpMessage | undefined {
  const row = ICMP[family];
  const bytes = family === 4 ? received.subarray(headerBytes4(received)) : received;
  if (bytes.length < HEADER_BYTES) throw new WireError("ICMP message", `${bytes.length} bytes`);
  const view = viewOf(bytes);
  const [type, code] = [view.getUint8(0), view.getUint8(1)];
  const payload = bytes.subarray(HEADER_BYTES);
  if (type === row.reply)
    return { kind: "reply", identifier: view.getUint16(4), sequence: view.getUint16(6), payload };
  const isTooBig = type === row.tooBig.type && code === row.tooBig.code;
  if (!isTooBig && type !== row.unreachable) return undefined;
  const quoted = decodeQuoted(family, payload);
  if (!quoted) return undefined;
  if (isTooBig) return { kind: "too-big", mtuBytes: view.getUint16(row.tooBig.mtuAt), quoted };
  return { kind: code === row.portCode ? "port-unreachable" : "unreachable", quoted };
}

/** The packet that an error is about; at least its first eight bytes after the IP header are there. */
function decodeQuoted(family: Family, bytes: Uint8Array): Quoted | undefined {
  const { ip, protocol, request } = ICMP[family];
  if (bytes.length < ip.bytes) throw new WireError("quoted packet", `${bytes.length} bytes`);
  const upper = bytes.subarray(family === 4 ? headerBytes4(bytes) : ip.bytes);
  if (upper.length < HEADER_BYTES)
    throw new WireError("quoted packet", `${upper.length} bytes of its content`);
  const to = ipFromBytes(bytes.subarray(ip.toAt, ip.toAt + FAMILY[family].bytes));
  const view = viewOf(upper);
  const carried = bytes[ip.protocolAt];
  if (carried === PROTOCOL_UDP)
    return { kind: "datagram", to, sourcePort: view.getUint16(0), port: view.getUint16(2) };
  if (carried === protocol && view.getUint8(0) === request)
    return { kind: "echo", to, identifier: view.getUint16(4), sequence: view.getUint16(6) };
  return undefined;
}

function headerBytes4(bytes: Uint8Array): number {
  const length = ((bytes[0] ?? 0) & 0x0f) * 4;
  if (length < ICMP[4].ip.bytes || length > bytes.length)
    throw new WireError("IPv4 header", `length ${length} of ${bytes.length} bytes`);
  return length;
}
