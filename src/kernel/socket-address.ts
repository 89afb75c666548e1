import { FAMILY } from "#addr/family";
import { familyOf, type Ip, ipFromBytes, ipToBytes } from "#addr/ip";

/** struct sockaddr_in or sockaddr_in6: family in host order, port in network order. @see ip(7), ipv6(7) */
export function socketAddress(ip: Ip, port: number): Uint8Array {
  const { af, bytes: length } = FAMILY[familyOf(ip)];
  const bytes = Buffer.alloc(length === 16 ? 28 : 16);
  bytes.writeUInt16LE(af, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipToBytes(ip), addressAt(length));
  return bytes;
}

/** The address and port of a struct sockaddr_in or sockaddr_in6, as the kernel fills it in. */
export function readSocketAddress(address: Uint8Array): { readonly ip: Ip; readonly port: number } {
  const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
  const { bytes } = FAMILY[view.getUint16(0, true) === FAMILY[6].af ? 6 : 4];
  const at = addressAt(bytes);
  return { ip: ipFromBytes(address.subarray(at, at + bytes)), port: view.getUint16(2) };
}

/** The IPv6 one has the flow between port and address. */
function addressAt(bytes: number): number {
  return bytes === 16 ? 8 : 4;
}
