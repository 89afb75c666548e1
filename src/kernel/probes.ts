import { randomBytes } from "node:crypto";
import { FAMILY, type Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { isFault } from "#fault/fault";
import { decodeIcmp, encodeEchoRequest, ICMP, type IcmpMessage } from "#wire/icmp";
import { viewOf } from "#wire/netlink";
import { encodeUdpPacket } from "#wire/udp-packet";
import { WireError } from "#wire/wire-error";
import { Fd } from "./fd.ts";
import * as libc from "./ffi/libc.ts";
import { connect, sendTo, socketName, stampingClock, stampOfLast } from "./ffi/probe-calls.ts";
import type { ProbeAnswer, ProbeOptions, Probes } from "./kernel.ts";
import { whenReadable } from "./readiness.ts";
import { readSocketAddress, socketAddress } from "./socket-address.ts";

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SO_MARK = 36;
/** Such a socket takes whole IP packets, and receives nothing. @see raw(7) */
const IPPROTO_RAW = 255;

/** Options of a family's sockets, and what an ICMP socket lets through. @see ip(7), ipv6(7), raw(7), RFC 3542 3.2 */
const OPTIONS = {
  4: { level: 0, mtuDiscover: 10, dontFragment: undefined, mtu: 14, filter: { level: 255, name: 1 } },
  6: { level: 41, mtuDiscover: 23, dontFragment: 62, mtu: 24, filter: { level: 58, name: 1 } },
} as const;
/** Never split, and not as small as the kernel believes the path to be: that is what is to be found out. */
const PMTUDISC_PROBE = 3;

const HEADERS_BYTES = 8;
const COOKIE_BYTES = 8;
const STAMP_BYTES = 8;
/** More than a socket's queue holds. */
const MOST_IN_VAIN = 1_000;
const received = new Uint8Array(64 << 10);

/** Runs its argument in one network namespace. */
type Inside = <T>(f: () => T) => T;

/** `inside` opens each socket in the namespace that packets shall leave from. */
export function openProbes(options: ProbeOptions, inside: Inside): Probes {
  const opened = new DisposableStack();
  try {
    return new ProbeSockets(options, { inside, opened });
  } catch (error) {
    opened.dispose();
    throw error;
  }
}

class ProbeSockets implements Probes {
  readonly #family: Family;
  readonly #options: ProbeOptions;
  readonly #inside: Inside;
  readonly #opened: DisposableStack;
  /** Sends echoes and hears every answer, also that to a datagram. */
  readonly #icmp: Fd;
  /** Sends datagrams whose headers are ours. */
  readonly #whole: Fd;
  /** So that nobody takes another's answer, or one made up, for his own. */
  readonly #identifier = randomBytes(2).readUInt16BE();
  readonly #cookie = randomBytes(COOKIE_BYTES);

  constructor(options: ProbeOptions, { inside, opened }: { inside: Inside; opened: DisposableStack }) {
    this.#family = options.family;
    this.#options = options;
    this.#inside = inside;
    this.#opened = opened;
    this.#icmp = opened.use(this.#open(libc.SOCK_RAW, ICMP[options.family].protocol));
    this.#whole = opened.use(this.#open(libc.SOCK_RAW, IPPROTO_RAW));
    this.#setUpIcmp();
    if (options.heard) opened.use(whenReadable(this.#icmp.number, options.heard));
  }

  sendEcho({ to, sequence, packetBytes }: Parameters<Probes["sendEcho"]>[0]): void {
    const bytes = packetBytes - ICMP[this.#family].ip.bytes - HEADERS_BYTES;
    const payload = new Uint8Array(Math.max(bytes, COOKIE_BYTES + STAMP_BYTES));
    payload.set(this.#cookie);
    viewOf(payload).setBigUint64(COOKIE_BYTES, stampingClock());
    const request = encodeEchoRequest(this.#family, { identifier: this.#identifier, sequence, payload });
    sendTo(this.#icmp.number, request, socketAddress(to, 0));
  }

  /** From a socket that is gone when the answer comes: that is heard all the same. */
  sendDatagram({ to, port, checksum }: Parameters<Probes["sendDatagram"]>[0]): number {
    using fd = this.#openDatagram(to, port);
    const { ip: source, port: sourcePort } = readSocketAddress(socketName(fd.number));
    const payload = this.#cookie;
    if (checksum === "device") libc.send(fd.number, payload);
    else
      sendTo(
        this.#whole.number,
        encodeUdpPacket({ source, to, sourcePort, port, payload }),
        socketAddress(to, 0),
      );
    return sourcePort;
  }

  /** Nothing, too, after much that was no answer: whoever floods this machine does not keep it from everything else. */
  receive(): ProbeAnswer | undefined {
    for (let heard = 0; heard < MOST_IN_VAIN; heard++) {
      const length = this.#readOne();
      if (length === undefined) return undefined;
      const message = decoded(this.#family, received.subarray(0, length));
      const answer = message && this.#answerOf(message);
      if (answer) return answer;
    }
    return undefined;
  }

  knownPathMtu(to: Ip): number {
    using fd = this.#openDatagram(to, 1);
    const { level, mtu } = OPTIONS[familyOf(to)];
    const into = new Uint8Array(4);
    libc.getsockopt(fd.number, level, mtu, into);
    return viewOf(into).getUint32(0, true);
  }

  [Symbol.dispose](): void {
    this.#opened.dispose();
  }

  #open(type: number, protocol: number): Fd {
    const { family, mark, source } = this.#options;
    const flags = type | SOCK_NONBLOCK | libc.SOCK_CLOEXEC;
    const fd = this.#inside(() => new Fd(libc.socket(FAMILY[family].af, flags, protocol), "probe"));
    try {
      if (mark !== undefined) libc.setsockopt(fd.number, libc.SOL_SOCKET, SO_MARK, number32(mark));
      if (source !== undefined) libc.bind(fd.number, socketAddress(source, 0));
      return fd;
    } catch (error) {
      fd[Symbol.dispose]();
      throw error;
    }
  }

  #openDatagram(to: Ip, port: number): Fd {
    const fd = this.#open(SOCK_DGRAM, 0);
    try {
      connect(fd.number, socketAddress(to, port));
      return fd;
    } catch (error) {
      fd[Symbol.dispose]();
      throw error;
    }
  }

  #setUpIcmp(): void {
    const { level, mtuDiscover, dontFragment, filter } = OPTIONS[this.#family];
    const { number } = this.#icmp;
    libc.setsockopt(number, level, mtuDiscover, number32(PMTUDISC_PROBE));
    if (dontFragment !== undefined) libc.setsockopt(number, level, dontFragment, number32(1));
    libc.setsockopt(number, filter.level, filter.name, icmpFilter(this.#family));
    this.#lastStamp(); // from now on packets are stamped
  }

  /** The length of what was read into `received`; nothing when nothing waits. */
  #readOne(): number | undefined {
    for (let met = 0; ; met++) {
      try {
        return libc.recv(this.#icmp.number, received, libc.MSG_DONTWAIT);
      } catch (error) {
        if (isFault(error) && error.code === "EAGAIN") return undefined;
        // What an earlier packet met with, such as EMSGSIZE: told once, and the answer that told it is read like any other.
        if (!isFault(error) || error.code === "EBADF" || met === MOST_IN_VAIN) throw error;
      }
    }
  }

  #lastStamp(): bigint | undefined {
    try {
      return stampOfLast(this.#icmp.number);
    } catch (error) {
      if (isFault(error) && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  #answerOf(message: IcmpMessage): ProbeAnswer | undefined {
    if (message.kind === "reply") return this.#echoOf(message);
    const { quoted } = message;
    if (quoted.kind === "datagram") {
      const { to, sourcePort, port } = quoted;
      return message.kind === "port-unreachable" ? { kind: "refused", to, sourcePort, port } : undefined;
    }
    if (quoted.identifier !== this.#identifier) return undefined;
    const { sequence } = quoted;
    if (message.kind === "too-big") return { kind: "too-big", sequence, mtuBytes: message.mtuBytes };
    return { kind: "unreachable", sequence };
  }

  #echoOf({ identifier, sequence, payload }: IcmpMessage & { kind: "reply" }): ProbeAnswer | undefined {
    if (identifier !== this.#identifier || payload.length < COOKIE_BYTES + STAMP_BYTES) return undefined;
    if (!this.#cookie.equals(payload.subarray(0, COOKIE_BYTES))) return undefined;
    const sent = viewOf(payload).getBigUint64(COOKIE_BYTES);
    const came = this.#lastStamp() ?? stampingClock();
    // The clock may have been set in between.
    return { kind: "echo", sequence, roundTripUs: Math.max(0, Number((came - sent) / 1000n)) };
  }
}

function decoded(family: Family, bytes: Uint8Array): IcmpMessage | undefined {
  try {
    return decodeIcmp(family, bytes);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

/** Blocks every type but those we read. In IPv4 the kernel tells of whatever is too big as unreachable. */
function icmpFilter(family: Family): Uint8Array {
  const { reply, unreachable, tooBig } = ICMP[family];
  const out = new Uint8Array(family === 4 ? 4 : 32).fill(0xff);
  for (const type of [reply, unreachable, tooBig.type])
    out[type >> 3] = (out[type >> 3] ?? 0) & ~(1 << (type & 7));
  return out;
}

function number32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  viewOf(out).setUint32(0, value, true);
  return out;
}
