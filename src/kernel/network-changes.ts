import { isFault } from "#fault/fault";
import { decodeMessages, type NlMessage } from "#wire/netlink";
import { changeFilter } from "./change-filter.ts";
import { ChangeNews } from "./change-news.ts";
import { Fd } from "./fd.ts";
import { attachFilter } from "./ffi/filter-calls.ts";
import {
  AF_NETLINK,
  bind,
  MSG_DONTWAIT,
  MSG_TRUNC,
  recv,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
  setsockopt,
  socket,
} from "./ffi/libc.ts";
import type { ChangeKind, ChangeScope, Netlink, NetworkChanges } from "./kernel.ts";
import { NETLINK_ROUTE, netlinkAddress } from "./netlink-socket.ts";
import type { OwnChanges } from "./own-changes.ts";
import { whenReadable } from "./readiness.ts";
import type { UnheardChanges } from "./unheard-changes.ts";

/** RTNLGRP_*: links, neighbours, addresses and routes of both families, settings of both. @see linux/rtnetlink.h */
const GROUPS = [1, 3, 5, 7, 9, 11, 24, 25].reduce((bits, group) => bits | (1 << (group - 1)), 0) >>> 0;
const QUEUE = Uint8Array.of(0, 0, 16, 0); // 1 MiB
/** Who hears so much at once lets others have their turn. */
const MESSAGES_A_TURN = 1000;

/** One message at a time; a longer one counts without being understood. */
const buffer = new Uint8Array(32 << 10);

interface Ears {
  readonly scope: ChangeScope;
  readonly listener: (kinds: ReadonlySet<ChangeKind>) => void;
  /** What the handle itself does is no news. */
  readonly own: OwnChanges;
  readonly unheard: UnheardChanges;
  readonly netlink: Pick<Netlink, "listLinks">;
}

/** Hears what changes in the namespace this thread is in now, which must be that of `netlink`. */
export function openNetworkChanges(ears: Ears): NetworkChanges {
  return new OpenNetworkChanges(ears);
}

class OpenNetworkChanges implements NetworkChanges {
  readonly #ears: Ears;
  readonly #opened = new DisposableStack();
  readonly #fd: Fd;
  readonly #news: ChangeNews;
  readonly #unheard: ReturnType<UnheardChanges["add"]>;
  #scope: ChangeScope;

  constructor(ears: Ears) {
    this.#ears = ears;
    this.#scope = ears.scope;
    this.#news = new ChangeNews(ears.scope, ears.own);
    const fd = new Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "network changes");
    this.#fd = this.#opened.use(fd);
    try {
      setsockopt(fd.number, SOL_SOCKET, SO_RCVBUFFORCE, QUEUE);
      bind(fd.number, netlinkAddress(GROUPS));
      this.#lookAround();
      this.#opened.use(ears.own.listen((announcement) => this.#news.expect(announcement)));
      this.#unheard = this.#opened.use(ears.unheard.add(ears.scope, ears.listener));
      this.#opened.use(whenReadable(fd.number, () => this.#hear()));
    } catch (error) {
      this.#opened.dispose();
      throw error;
    }
  }

  follow(scope: ChangeScope): void {
    if (JSON.stringify(scope) === JSON.stringify(this.#scope)) return;
    this.#scope = scope;
    this.#lookAround();
    this.#unheard.follow(scope);
  }

  [Symbol.dispose](): void {
    this.#opened.dispose();
  }

  /** What was said before is judged by what stands now, which may be one look too many. */
  #lookAround(): void {
    this.#news.know(this.#scope, this.#ears.netlink.listLinks());
    this.#narrow();
  }

  #narrow(): void {
    const { indexes, neighborIndexes } = this.#news;
    const { links: names, everyAddress = false } = this.#scope;
    attachFilter(this.#fd.number, changeFilter({ names, indexes, everyAddress, neighborIndexes }));
    this.#news.hasMoved = false;
  }

  #hear(): void {
    if (this.#opened.disposed) return;
    const kinds = new Set<ChangeKind>();
    let count = 0;
    for (; count < MESSAGES_A_TURN; count++) {
      const heard = receive(this.#fd.number);
      if (heard === "nothing") break;
      if (heard === "overflow") kinds.add("unknown");
      else for (const message of heard) this.#judge(message, kinds);
    }
    if (count === MESSAGES_A_TURN) setImmediate(() => this.#hear());
    else this.#news.settled();
    // Before anybody looks: what comes later is then heard, and what came between is seen.
    if (kinds.has("unknown")) this.#lookAround();
    else if (this.#news.hasMoved) this.#narrow();
    if (kinds.size > 0) this.#ears.listener(kinds);
  }

  #judge(message: NlMessage, kinds: Set<ChangeKind>): void {
    const kind = this.#news.judge(message);
    if (kind) kinds.add(kind);
    // Whoever made the link: what happened to it before its index was in the filter was not heard.
    if (this.#news.hasMoved) kinds.add("links");
  }
}

function receive(fd: number): readonly NlMessage[] | "nothing" | "overflow" {
  try {
    const length = recv(fd, buffer, MSG_DONTWAIT | MSG_TRUNC);
    return length > buffer.length ? "overflow" : decodeMessages(buffer.subarray(0, length));
  } catch (error) {
    const code = isFault(error) ? error.code : undefined;
    if (code === "EAGAIN") return "nothing";
    if (code === "ENOBUFS") return "overflow";
    throw error;
  }
}
