/** Packets sent from this thread, one call each, so that a call's time is what its packet costs on the way: between namespaces
 *  all of it is done before the call is back. */
import { join } from "node:path";
import { parseIp } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import * as libc from "#kernel/ffi/libc";
import { inNetns, openNetns } from "#kernel/netns";
import { readSocketAddress, socketAddress } from "#kernel/socket-address";

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SO_LINGER = 13;
const SO_RCVBUF = 8;
/** On, no seconds: closing resets, and the connection leaves no port waiting. */
const RESET = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
const SMALL = Uint8Array.of(0, 16, 0, 0);
const PAYLOAD = new Uint8Array(18);

export interface Connects {
  /** Of each, from the first packet to the answer. */
  readonly us: readonly number[];
  readonly perSecond: number;
}

/** TCP connections one after another, each closed at once. */
export function connects(netns: string, to: { ip: string; port: number }, count: number): Connects {
  const address = socketAddress(parseIp(to.ip), to.port);
  const us: number[] = [];
  const from = performance.now();
  within(netns, () => {
    for (let i = 0; i < count; i++) {
      const fd = libc.socket(AF_INET, SOCK_STREAM | libc.SOCK_CLOEXEC, 0);
      libc.setsockopt(fd, libc.SOL_SOCKET, SO_LINGER, RESET);
      const at = performance.now();
      libc.connect(fd, address);
      us.push((performance.now() - at) * 1000);
      libc.close(fd);
    }
  });
  return { us, perSecond: (count * 1000) / (performance.now() - from) };
}

/** A UDP flow that has been answered once, so that it counts as established. Nobody reads what arrives. */
export class Flow implements Disposable {
  readonly #client: number;
  readonly #server: number;

  constructor(
    ends: { client: string; server: string },
    to: { ip: string; port: number },
    at: { ip: string; port: number },
  ) {
    this.#server = opened(ends.server);
    libc.setsockopt(this.#server, libc.SOL_SOCKET, SO_RCVBUF, SMALL);
    libc.bind(this.#server, socketAddress(parseIp(at.ip), at.port));
    this.#client = opened(ends.client);
    libc.connect(this.#client, socketAddress(parseIp(to.ip), to.port));
    const own = new Uint8Array(16);
    libc.getsockname(this.#client, own);
    const { ip, port } = readSocketAddress(own);
    libc.send(this.#client, PAYLOAD);
    libc.recv(this.#server, new Uint8Array(64));
    libc.connect(this.#server, socketAddress(ip, port));
    libc.send(this.#server, PAYLOAD);
    libc.recv(this.#client, new Uint8Array(64));
  }

  /** Sends for so long. @returns nanoseconds for each packet */
  nsPerPacket(ms: number): number {
    const until = performance.now() + ms;
    const from = performance.now();
    let sent = 0;
    while (performance.now() < until) {
      for (let i = 0; i < 200; i++) libc.send(this.#client, PAYLOAD);
      sent += 200;
    }
    return ((performance.now() - from) * 1e6) / sent;
  }

  [Symbol.dispose](): void {
    libc.close(this.#client);
    libc.close(this.#server);
  }
}

function opened(netns: string): number {
  let fd = -1;
  within(netns, () => {
    fd = libc.socket(AF_INET, SOCK_DGRAM | libc.SOCK_CLOEXEC, 0);
  });
  return fd;
}

function within(netns: string, f: () => void): void {
  using ns = openNetns(join(CLAIMS.netnsDir, netns));
  inNetns(ns, f);
}
