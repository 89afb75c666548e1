import { viewOf } from "#wire/netlink";
import { Fd } from "./fd.ts";
import { AF_NETLINK, bind, MSG_DONTWAIT, recv, SOCK_CLOEXEC, SOCK_RAW, socket } from "./ffi/libc.ts";
import type { NetworkChanges } from "./kernel.ts";
import { NETLINK_ROUTE } from "./netlink-socket.ts";

/** Links, IPv4 addresses and routes, IPv6 addresses and routes. Neighbours are left out: ARP alone would never be quiet, and
 *  ours fall only when their link does. @see RTMGRP_* in linux/rtnetlink.h */
const GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
const ADDRESS_BYTES = 12;
/** What an announcement says is not read, so the rest of a long one may be cut off. */
const scrap = new Uint8Array(64);

/** Hears what changes in the namespace this thread is in now, from now on. */
export function openNetworkChanges(): NetworkChanges {
  const fd = new Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "network changes");
  const address = new Uint8Array(ADDRESS_BYTES);
  viewOf(address).setUint16(0, AF_NETLINK, true);
  viewOf(address).setUint32(8, GROUPS, true);
  bind(fd.number, address);
  return {
    drain() {
      let hasChanged = false;
      while (hears(fd.number)) hasChanged = true;
      return hasChanged;
    },
    [Symbol.dispose]: () => fd[Symbol.dispose](),
  };
}

/** An overflowing queue is news too: something changed, and more than fitted. */
function hears(fd: number): boolean {
  try {
    recv(fd, scrap, MSG_DONTWAIT);
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOBUFS") return true;
    if (code === "EAGAIN") return false;
    throw error;
  }
}
