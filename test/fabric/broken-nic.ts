/** A network card that promises to fill in checksums, and does so for the outermost datagram only: what is inside a tunnel goes out
 *  as the kernel left it. It stands between a machine's cable and the switch. */

import { Fd } from "#kernel/fd";
import { bind, MSG_DONTWAIT, recv, SOCK_CLOEXEC, SOCK_RAW, send, setsockopt, socket } from "#kernel/ffi/libc";
import type { Kernel } from "#kernel/kernel";
import { whenReadable } from "#kernel/readiness";
import { internetChecksum } from "#wire/internet-checksum";
import { viewOf } from "#wire/netlink";
import type { Machine, Machines } from "./machines.ts";

const AF_PACKET = 17;
const ETH_P_ALL = 3;
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const ON = Uint8Array.of(1, 0, 0, 0);
/** struct virtio_net_hdr: flags, kind of segments, header length, segment size, where a checksum starts, where it goes. */
const HEADER = { bytes: 10, flags: 0, start: 6, offset: 8, needsChecksum: 1 } as const;
const ETHERNET_BYTES = 14;
const buffer = new Uint8Array(128 << 10);

/** Until disposed all that the machine sends goes through the card. @returns how many checksums it left as they were */
export function putBrokenNic(
  { lan }: Machines,
  machine: Machine,
): Disposable & { readonly left: () => number } {
  const { kernel, ns, bridge } = lan;
  const opened = new DisposableStack();
  const port = linkOf(kernel, machine.port);
  const inner = kernel.netlink.addLink({
    kind: "veth",
    name: `nic-${machine.port}`,
    isUp: true,
    peer: { name: `out-${machine.port}` },
  });
  opened.defer(() => kernel.netlink.deleteLink(inner.index));
  kernel.netlink.changeLink(linkOf(kernel, `out-${machine.port}`).index, { isUp: true, master: bridge });
  kernel.netlink.changeLink(port.index, { master: 0, isPromiscuous: true });
  opened.defer(() => kernel.netlink.changeLink(port.index, { master: bridge }));
  const open = (link: number) => {
    let fd: Fd | undefined;
    kernel.inNetns(ns, () => {
      fd = openTap(link);
    });
    if (!fd) throw new Error("broken invariant: the guard did not run");
    return opened.use(fd);
  };
  const [machineSide, cableSide] = [open(port.index), open(inner.index)];
  let left = 0;
  const out = () =>
    pump(machineSide, cableSide, (packet) => {
      left += Number(!fill(packet));
    });
  opened.use(whenReadable(machineSide.number, out));
  opened.use(whenReadable(cableSide.number, () => pump(cableSide, machineSide, () => {})));
  return { left: () => left, [Symbol.dispose]: () => opened.dispose() };
}

function openTap(link: number): Fd {
  const fd = new Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "network card");
  setsockopt(fd.number, SOL_PACKET, PACKET_VNET_HDR, ON);
  setsockopt(fd.number, SOL_PACKET, PACKET_IGNORE_OUTGOING, ON);
  // struct sockaddr_ll: family, protocol in network order, index
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(link, 4);
  bind(fd.number, address);
  return fd;
}

function pump(from: Fd, to: Fd, change: (packet: Uint8Array) => void): void {
  for (;;) {
    const packet = next(from);
    if (!packet) return;
    change(packet);
    try {
      send(to.number, packet, MSG_DONTWAIT);
    } catch {
      // a card that is down or full drops
    }
  }
}

function next(from: Fd): Uint8Array | undefined {
  for (;;) {
    try {
      return buffer.subarray(0, recv(from.number, buffer, MSG_DONTWAIT));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EAGAIN" || code === "ENETDOWN") return undefined;
      // A packet that the header cannot describe, such as a segment within a tunnel, is dropped.
      if (code !== "EINVAL") throw error;
    }
  }
}

/** Fills in the checksum that the packet's header asks for where that is the outermost one. @returns false where it is not */
function fill(packet: Uint8Array): boolean {
  const view = viewOf(packet);
  if ((view.getUint8(HEADER.flags) & HEADER.needsChecksum) === 0) return true;
  view.setUint8(HEADER.flags, 0);
  const frame = packet.subarray(HEADER.bytes);
  const start = view.getUint16(HEADER.start, true);
  if (start !== outermost(frame)) return false;
  const at = start + view.getUint16(HEADER.offset, true);
  viewOf(frame).setUint16(at, internetChecksum(frame.subarray(start)) || 0xffff);
  return true;
}

/** Where the content of the frame's own IP packet starts. */
function outermost(frame: Uint8Array): number {
  const isV4 = viewOf(frame).getUint16(12) === 0x0800;
  return ETHERNET_BYTES + (isV4 ? ((frame[ETHERNET_BYTES] ?? 0) & 0x0f) * 4 : 40);
}

function linkOf({ netlink }: Kernel, name: string) {
  const link = netlink.findLink(name);
  if (!link) throw new Error(`broken invariant: no ${name}`);
  return link;
}
