/** Sockets as sock_diag lists them. @see linux/inet_diag.h, linux/sock_diag.h */
import { FAMILY, type Family } from "#addr/family";
import { type Ip, ipFromBytes } from "#addr/ip";
import { decodeAttributes, readU8 } from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";

export const SOCK_DIAG_BY_FAMILY = 20;

/** States as bits: TCP_CLOSE is a datagram socket without a peer, TCP_LISTEN one that takes connections. */
const CLOSE = 1 << 7;
const LISTEN = 1 << 10;
const UDP = 17;

const REQUEST_BYTES = 56;
const REQUEST = { family: 0, protocol: 1, states: 4 } as const;
const ANSWER_BYTES = 72;
const ANSWER = { family: 0, sourcePort: 4, peerPort: 6, source: 8, interface: 40, inode: 68 } as const;
const SKV6ONLY = 11;
/** `::ffff:0:0/96`: an IPv6 socket at an IPv4 address. */
const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** A socket that waits for whoever comes, at one address of its namespace or (unspecified) at all. */
export interface WireSocket {
  /** Of its address. */
  readonly family: Family;
  /** Unspecified: every address of its family. */
  readonly ip: Ip;
  readonly port: number;
  /** An IPv6 one at every address that takes IPv4 too. */
  readonly isDual: boolean;
  /** Index of the only interface it hears; 0 is any. */
  readonly interface: number;
  /** The kernel's name for it, which no other socket of the machine has: `/proc/PID/fd/N` says `socket:[INODE]`. */
  readonly inode: number;
}

/** Asks for the sockets of a family and protocol (6 TCP, 17 UDP, 132 SCTP) that wait for whoever comes. For another state than
 *  LISTEN the kernel would go through all connections. */
export function encodeSocketQuery(family: Family, protocol: number): Uint8Array {
  const out = new Uint8Array(REQUEST_BYTES);
  const view = new DataView(out.buffer);
  view.setUint8(REQUEST.family, FAMILY[family].af);
  view.setUint8(REQUEST.protocol, protocol);
  view.setUint32(REQUEST.states, protocol === UDP ? CLOSE : LISTEN, true);
  return out;
}

/** @returns undefined for a socket of another family, without a port, or with a peer. @throws {WireError} */
export function decodeSocket(payload: Uint8Array): WireSocket | undefined {
  if (payload.length < ANSWER_BYTES) throw new WireError("socket", `it has ${payload.length} bytes`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const af = view.getUint8(ANSWER.family);
  const family = af === FAMILY[4].af ? 4 : af === FAMILY[6].af ? 6 : undefined;
  const port = view.getUint16(ANSWER.sourcePort);
  if (family === undefined || port === 0 || view.getUint16(ANSWER.peerPort) !== 0) return undefined;
  const bytes = payload.subarray(ANSWER.source, ANSWER.source + FAMILY[family].bytes);
  const isMapped = family === 6 && MAPPED.every((byte, i) => bytes[i] === byte);
  const ip = ipFromBytes(isMapped ? bytes.subarray(MAPPED.length) : bytes);
  const only = readU8(decodeAttributes(payload.subarray(ANSWER_BYTES)), SKV6ONLY);
  return {
    family: isMapped ? 4 : family,
    ip,
    port,
    isDual: family === 6 && ip === "::" && only !== 1,
    interface: view.getUint32(ANSWER.interface, true),
    inode: view.getUint32(ANSWER.inode, true),
  };
}
