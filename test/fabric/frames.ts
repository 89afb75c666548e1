/** Frames made by hand, and a door to send them by: what a stranger with a raw socket can do. */
import { familyOf, type Ip, ipToBytes } from "#addr/ip";
import { type Mac, macToBytes } from "#addr/mac";
import { bind, close, recv, SOCK_CLOEXEC, SOCK_RAW, send, socket } from "#kernel/ffi/libc";
import type { Kernel, Netns } from "#kernel/kernel";
import { internetChecksum } from "#wire/internet-checksum";
import { encodeDatagram, PROTOCOL_UDP } from "#wire/udp-packet";

const AF_PACKET = 17;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;

export interface Datagram {
  readonly source: Ip;
  readonly to: Ip;
  readonly port: number;
  readonly payload: Uint8Array;
}

/** An upper layer's packet and its number in the IP header. */
export interface Upper {
  readonly protocol: number;
  readonly bytes: Uint8Array;
}

export function udp({ source, to, port, payload }: Datagram): Upper {
  const bytes = encodeDatagram({ source, to, sourcePort: 40_000, port, payload });
  return { protocol: PROTOCOL_UDP, bytes };
}

/** `fragment`: its offset in bytes and whether more follow; IPv4's own, for IPv6 has a header for that. */
export function ip(
  { source, to }: Pick<Datagram, "source" | "to">,
  { protocol, bytes }: Upper,
  fragment = { offset: 0, more: false },
): Uint8Array {
  if (familyOf(to) === 6) {
    const header = Buffer.alloc(40);
    header.writeUInt8(0x60, 0);
    header.writeUInt16BE(bytes.length, 4);
    header.writeUInt8(protocol, 6);
    header.writeUInt8(64, 7);
    header.set(ipToBytes(source), 8);
    header.set(ipToBytes(to), 24);
    return Buffer.concat([header, bytes]);
  }
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + bytes.length, 2);
  header.writeUInt16BE(7, 4);
  header.writeUInt16BE((fragment.offset >> 3) | (fragment.more ? 0x2000 : 0), 6);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  header.set(ipToBytes(source), 12);
  header.set(ipToBytes(to), 16);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, bytes]);
}

/** Eight bytes of options that mean nothing, before what follows. */
export function behindOptions({ protocol, bytes }: Upper): Upper {
  return {
    protocol: DESTINATION_OPTIONS,
    bytes: Buffer.concat([Buffer.from([protocol, 0, 1, 4, 0, 0, 0, 0]), bytes]),
  };
}

/** The packet in fragments, each but the last of `size` bytes. */
export function fragments(of: Pick<Datagram, "source" | "to">, upper: Upper, size: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let offset = 0; offset < upper.bytes.length; offset += size) {
    const bytes = upper.bytes.subarray(offset, offset + size);
    const more = offset + size < upper.bytes.length;
    if (familyOf(of.to) === 4) {
      out.push(ip(of, { ...upper, bytes }, { offset, more }));
      continue;
    }
    const header = Buffer.alloc(8);
    header.writeUInt8(upper.protocol, 0);
    header.writeUInt16BE(offset | (more ? 1 : 0), 2);
    header.writeUInt32BE(7, 4);
    out.push(ip(of, { protocol: FRAGMENT, bytes: Buffer.concat([header, bytes]) }));
  }
  return out;
}

export function ethernet(from: Mac, to: Mac, packet: Uint8Array): Uint8Array {
  const type = (packet[0] ?? 0) >> 4 === 6 ? [0x86, 0xdd] : [0x08, 0x00];
  return Buffer.concat([macToBytes(to), macToBytes(from), Buffer.from(type), packet]);
}

/** @see RFC 7348 */
export function vxlan(vni: number, frame: Uint8Array): Uint8Array {
  const header = Buffer.alloc(8);
  header.writeUInt8(0x08, 0);
  header.writeUInt32BE(vni << 8, 4);
  return Buffer.concat([header, frame]);
}

/** The first message of a WireGuard handshake, as far as a port can tell. */
export function handshakeInitiation(): Uint8Array {
  const bytes = Buffer.alloc(148, 0x5a);
  bytes.writeUInt32LE(1, 0);
  return bytes;
}

/** Sends whole frames out of a link of the namespace. */
export function injectFrames(
  kernel: Kernel,
  { ns, link }: { ns: Netns; link: number },
  frames: readonly Uint8Array[],
): void {
  kernel.inNetns(ns, () => {
    const fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    try {
      const address = Buffer.alloc(20); // sockaddr_ll
      address.writeUInt16LE(AF_PACKET, 0);
      address.writeUInt32LE(link, 4);
      bind(fd, address);
      for (const frame of frames) send(fd, frame);
    } finally {
      close(fd);
    }
  });
}

/** A UDP port of a namespace, for both families. */
export class Port implements Disposable {
  readonly #fd: number;

  constructor(kernel: Kernel, ns: Netns, port: number) {
    this.#fd = kernel.inNetns(ns, () => {
      const fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      const address = Buffer.alloc(28); // sockaddr_in6
      address.writeUInt16LE(AF_INET6, 0);
      address.writeUInt16BE(port, 2);
      bind(fd, address);
      return fd;
    });
  }

  /** How many bytes the next datagram has; nothing when none has come. */
  take(): number | undefined {
    try {
      return recv(this.#fd, new Uint8Array(65_536), MSG_DONTWAIT);
    } catch {
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    close(this.#fd);
  }
}
