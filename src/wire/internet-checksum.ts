/** The checksum of IP, ICMP, UDP and TCP. @see RFC 1071; RFC 8200 8.1 for the pseudo-header */
import { FAMILY } from "#addr/family";
import { familyOf, type Ip, ipToBytes } from "#addr/ip";

/** The sixteen bits that make the sum over all of `parts` come out whole. Every part but the last has an even length. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts)
    for (let at = 0; at < part.length; at += 2) sum += ((part[at] ?? 0) << 8) | (part[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** What UDP, TCP and ICMPv6 count in besides their own bytes. */
export function pseudoHeader(source: Ip, to: Ip, upper: { protocol: number; bytes: number }): Uint8Array {
  const { bytes } = FAMILY[familyOf(to)];
  const out = new Uint8Array(2 * bytes + (bytes === 4 ? 4 : 8));
  out.set(ipToBytes(source), 0);
  out.set(ipToBytes(to), bytes);
  const view = new DataView(out.buffer, 2 * bytes);
  if (bytes === 4) {
    view.setUint16(0, upper.protocol);
    view.setUint16(2, upper.bytes);
  } else {
    view.setUint32(0, upper.bytes);
    view.setUint32(4, upper.protocol);
  }
  return out;
}
