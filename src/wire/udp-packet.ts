/** A whole IP packet with a UDP datagram in it, both headers ours, as a raw socket takes it. @see RFC 768, RFC 791, RFC 8200 */
import { FAMILY } from "#addr/family";
import { familyOf, type Ip, ipToBytes } from "#addr/ip";
import { internetChecksum, pseudoHeader } from "./internet-checksum.ts";

export const PROTOCOL_UDP = 17;
const UDP_HEADER_BYTES = 8;
const HOPS = 64;

export interface UdpPacket {
  readonly source: Ip;
  readonly to: Ip;
  readonly sourcePort: number;
  readonly port: number;
  readonly payload: Uint8Array;
}

/** The packet with its UDP checksum filled in. In IPv4 the kernel fills in the rest: length, identification, header checksum.
 *  @see IP_HDRINCL in raw(7) */
export function encodeUdpPacket(packet: UdpPacket): Uint8Array {
  const datagram = encodeDatagram(packet);
  const header = familyOf(packet.to) === 4 ? headerOf4(packet, datagram) : headerOf6(packet, datagram);
  const out = new Uint8Array(header.length + datagram.length);
  out.set(header);
  out.set(datagram, header.length);
  return out;
}

/** The datagram alone, its checksum filled in. */
export function encodeDatagram({ source, to, sourcePort, port, payload }: UdpPacket): Uint8Array {
  const out = new Uint8Array(UDP_HEADER_BYTES + payload.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, port);
  view.setUint16(4, out.length);
  out.set(payload, UDP_HEADER_BYTES);
  const pseudo = pseudoHeader(source, to, { protocol: PROTOCOL_UDP, bytes: out.length });
  // Zero would say that there is none.
  view.setUint16(6, internetChecksum(pseudo, out) || 0xffff);
  return out;
}

function headerOf4({ source, to }: UdpPacket, datagram: Uint8Array): Uint8Array {
  const out = new Uint8Array(20);
  const view = new DataView(out.buffer);
  view.setUint8(0, 0x45); // version 4, five words
  view.setUint16(2, out.length + datagram.length);
  view.setUint8(8, HOPS);
  view.setUint8(9, PROTOCOL_UDP);
  out.set(ipToBytes(source), 12);
  out.set(ipToBytes(to), 16);
  return out;
}

function headerOf6({ source, to }: UdpPacket, datagram: Uint8Array): Uint8Array {
  const out = new Uint8Array(40);
  const view = new DataView(out.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, datagram.length);
  view.setUint8(6, PROTOCOL_UDP);
  view.setUint8(7, HOPS);
  out.set(ipToBytes(source), 8);
  out.set(ipToBytes(to), 8 + FAMILY[6].bytes);
  return out;
}
