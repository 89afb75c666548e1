import { decodeAnswer, decodeMessages, NLMSG_ERROR, type NlAnswer } from "#wire/netlink";
import { type BatchMessage, elementAt, encodeElementBatch } from "#wire/nfnetlink-element";
import { Fd } from "./fd.ts";
import {
  AF_NETLINK,
  MSG_DONTWAIT,
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
import type { NftElementOp, NftSetRef } from "./kernel.ts";
import { NETLINK_NETFILTER } from "./netlink-socket.ts";
import { refusedElement } from "./nft-error.ts";

const SO_SNDBUFFORCE = 32;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const ON = Uint8Array.of(1, 0, 0, 0);
const QUEUE_BYTES = 4 << 20;

/** Sends element changes as one transaction, on a socket of the namespace this thread was in when it was opened. The
 *  kernel commits or refuses the whole batch within `send`, so nothing here waits. */
export class NftSocket implements Disposable {
  readonly #fd: Fd;
  readonly #answer = new Uint8Array(16 << 10);
  #sendBytes = 0;
  #seq = 1;

  constructor() {
    this.#fd = new Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), "nftables socket");
    setsockopt(this.#fd.number, SOL_NETLINK, NETLINK_EXT_ACK, ON);
    setsockopt(this.#fd.number, SOL_NETLINK, NETLINK_CAP_ACK, ON);
    setsockopt(this.#fd.number, SOL_SOCKET, SO_RCVBUFFORCE, int32(QUEUE_BYTES));
    this.#makeRoom(1 << 20);
  }

  /** @throws {NftError} naming the first element refused */
  change(ops: readonly NftElementOp[]): void {
    const batch = encodeElementBatch(ops, this.#seq);
    const last = batch.messages.at(-1);
    if (last === undefined) return;
    this.#seq = (last.seq + 2) % 0x7fff_0000 || 1;
    this.#makeRoom(batch.bytes.length);
    send(this.#fd.number, batch.bytes);
    this.#settle(batch.beginSeq, batch.messages, last);
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }

  /** Reads answers up to the last message's, which always comes; a batch that may not even begin is answered at its begin. */
  #settle(beginSeq: number, messages: readonly BatchMessage[], last: BatchMessage): void {
    const bySeq = new Map(messages.map((message) => [message.seq, message]));
    let first: { answer: NlAnswer; message: BatchMessage } | undefined;
    for (;;) {
      const length = recv(this.#fd.number, this.#answer, MSG_DONTWAIT);
      for (const message of decodeMessages(this.#answer.subarray(0, length))) {
        if (message.type !== NLMSG_ERROR) continue;
        const answer = decodeAnswer(message);
        if (message.seq === beginSeq && answer.errno !== 0) throw refusal(answer, last);
        const about = bySeq.get(message.seq);
        if (about && answer.errno !== 0) first ??= { answer, message: about };
        if (about !== last) continue;
        if (first) throw refusal(first.answer, first.message);
        return;
      }
    }
  }

  /** A netlink message must fit the socket's send buffer whole. */
  #makeRoom(bytes: number): void {
    if (bytes + 4096 <= this.#sendBytes) return;
    this.#sendBytes = Math.min(0x3fff_ffff, Math.max(bytes + 4096, this.#sendBytes * 2));
    setsockopt(this.#fd.number, SOL_SOCKET, SO_SNDBUFFORCE, int32(this.#sendBytes));
  }
}

export function setText({ family, table, set }: NftSetRef): string {
  return `set "${set}" of table ${family} ${table}`;
}

function refusal({ errno, extAck, offset }: NlAnswer, message: BatchMessage) {
  const element = elementAt(message, offset);
  return refusedElement({
    op: message.op.op,
    set: setText(message.op.set),
    key: element && Buffer.from(element.key).toString("hex"),
    errno,
    extAck,
  });
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}
