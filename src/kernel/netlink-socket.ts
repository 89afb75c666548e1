import { constants } from "node:os";
import { SyscallFault } from "#fault/kernel-fault";
import {
  decodeAnswer,
  decodeMessages,
  encodeMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  type NlMessage,
  viewOf,
} from "#wire/netlink";
import { Fd } from "./fd.ts";
import {
  AF_NETLINK,
  bind,
  getsockname,
  MSG_DONTWAIT,
  MSG_TRUNC,
  recv,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
  send,
  setsockopt,
  socket,
} from "./ffi/libc.ts";
import { NetlinkError } from "./netlink-error.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const RECEIVE_QUEUE_BYTES = 4 << 20;
const DUMP_ATTEMPTS = 8;
const ON = Uint8Array.of(1, 0, 0, 0);
const QUEUE = Uint8Array.from([0, 8, 16, 24], (shift) => (RECEIVE_QUEUE_BYTES >> shift) & 0xff);

/** Where answers land. One per thread is enough, since a call ends before the next begins; it grows when a message is larger. */
let buffer = new Uint8Array(64 << 10);

const ADDRESS_BYTES = 12;
const ADDRESS = { family: 0, port: 4, groups: 8 } as const;

/** A struct sockaddr_nl that leaves the port to the kernel; `groups` are the announcements to hear, a bit each. */
export function netlinkAddress(groups = 0): Uint8Array {
  const address = new Uint8Array(ADDRESS_BYTES);
  viewOf(address).setUint16(ADDRESS.family, AF_NETLINK, true);
  viewOf(address).setUint32(ADDRESS.groups, groups, true);
  return address;
}

export interface NlRequest {
  readonly type: number;
  readonly flags?: number;
  /** What is asked, for the error's sentence: `add link cni0`. */
  readonly op: string;
  readonly parts: readonly Uint8Array[];
}

/** A netlink socket of the namespace this thread was in when it was opened. One request is in flight at a time: the kernel
 *  answers within `send`, so nothing here waits. */
export class NetlinkSocket implements Disposable {
  /** The kernel's name for this socket, which its announcements of what we change carry. */
  readonly port: number;
  readonly #fd: Fd;
  #seq = 1;

  constructor(protocol: number) {
    this.#fd = new Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "netlink socket");
    const { number } = this.#fd;
    setsockopt(number, SOL_NETLINK, NETLINK_EXT_ACK, ON);
    setsockopt(number, SOL_NETLINK, NETLINK_CAP_ACK, ON);
    setsockopt(number, SOL_NETLINK, NETLINK_GET_STRICT_CHK, ON);
    setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, QUEUE);
    const address = netlinkAddress();
    bind(number, address);
    getsockname(number, address);
    this.port = viewOf(address).getUint32(ADDRESS.port, true);
  }

  /** Asks for a change and returns once the kernel has made it. @throws {NetlinkError} */
  change(request: NlRequest): void {
    const seq = this.#send(request, NLM_F_ACK);
    for (;;) {
      for (const message of this.#receive() ?? []) {
        if (message.seq !== seq || message.type !== NLMSG_ERROR) continue;
        throwIfRefused(request.op, message);
        return;
      }
    }
  }

  /** Asks for one object. @throws {NetlinkError} ENODEV, ENOENT and the like when it is absent */
  get(request: NlRequest): NlMessage {
    const seq = this.#send(request, 0);
    for (;;) {
      const messages = this.#receive();
      if (messages === undefined) return this.get(request);
      for (const message of messages) {
        if (message.seq !== seq) continue;
        if (message.type === NLMSG_ERROR) throwIfRefused(request.op, message);
        else return copyOf(message);
      }
    }
  }

  /** Asks for all objects and decodes them; starts over when the kernel says that they changed meanwhile.
   *  @throws {NetlinkError} EINTR when they never stood still */
  dump<T>(request: NlRequest, decode: (message: NlMessage) => T | undefined): T[] {
    try {
      for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
        const found = this.#dumpOnce(request, decode);
        if (found !== "interrupted") return found;
      }
    } catch (error) {
      this.#drain();
      throw error;
    }
    throw new NetlinkError(request.op, {
      errno: constants.errno.EINTR,
      extAck: undefined,
      offset: undefined,
    });
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }

  #dumpOnce<T>(request: NlRequest, decode: (message: NlMessage) => T | undefined): T[] | "interrupted" {
    const out: T[] = [];
    const pages = this.pages(request, decode);
    for (;;) {
      const { value, done } = pages.next();
      if (done) return value === "interrupted" ? value : out;
      for (const each of value) out.push(each);
    }
  }

  /** Asks for all objects once and decodes them as they are asked for, so that the caller may do something else in between; but
   *  nothing with this socket. Ends with `interrupted` when they changed meanwhile: what came is then worth nothing. */
  *pages<T>(
    request: NlRequest,
    decode: (message: NlMessage) => T | undefined,
  ): Generator<readonly T[], "interrupted" | "complete"> {
    const seq = this.#send(request, NLM_F_DUMP);
    let interrupted = false;
    for (;;) {
      const messages = this.#receive();
      if (messages === undefined) {
        this.#drain();
        return "interrupted";
      }
      const page: T[] = [];
      for (const message of messages) {
        if (message.seq !== seq || message.type === NLMSG_NOOP) continue;
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          throwIfRefused(request.op, message);
          if (page.length > 0) yield page;
          return interrupted ? "interrupted" : "complete";
        }
        const value = decode(message);
        if (value !== undefined) page.push(value);
      }
      yield page;
    }
  }

  #send({ type, flags = 0, parts }: NlRequest, extra: number): number {
    const seq = this.#seq;
    this.#seq = (this.#seq + 1) >>> 0 || 1;
    send(this.#fd.number, encodeMessage({ type, flags: flags | extra | NLM_F_REQUEST, seq }, ...parts));
    return seq;
  }

  /** Nothing when the answer did not fit; there is room for it at the next attempt. */
  #receive(): NlMessage[] | undefined {
    const length = recv(this.#fd.number, buffer, MSG_DONTWAIT | MSG_TRUNC);
    if (length <= buffer.length) return decodeMessages(buffer.subarray(0, length));
    buffer = new Uint8Array(length * 2);
    return undefined;
  }

  /** Lets the kernel finish a dump that nobody reads on; until then it refuses the next one as busy. */
  #drain(): void {
    try {
      while (recv(this.#fd.number, buffer, MSG_DONTWAIT) > 0);
    } catch (error) {
      if (!(error instanceof SyscallFault)) throw error;
    }
  }
}

function throwIfRefused(op: string, message: NlMessage): void {
  const answer = decodeAnswer(message);
  if (answer.errno !== 0) throw new NetlinkError(op, answer);
}

/** The buffer is reused, so what outlives the call is copied. */
function copyOf(message: NlMessage): NlMessage {
  return { ...message, payload: message.payload.slice() };
}
