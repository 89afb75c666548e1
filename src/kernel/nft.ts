import { constants } from "node:os";
import { Turns } from "#life/turns";
import { string } from "#wire/netlink-attribute";
import { NFNL_SUBSYS_NFTABLES, nfGenMsg, nfType } from "#wire/nfnetlink";
import { decodeElements, LIST, NF_FAMILY, NFT_MSG_GETSETELEM } from "#wire/nfnetlink-element";
import { decodeGeneration, NFT_MSG_GETGEN } from "#wire/nfnetlink-generation";
import { NftContext } from "./ffi/libnftables.ts";
import type { Netns, Nft, NftElement, NftElementOp, NftSetRef } from "./kernel.ts";
import { NetlinkError } from "./netlink-error.ts";
import { NETLINK_NETFILTER, NetlinkSocket, type NlRequest } from "./netlink-socket.ts";
import { inNetns, openOwnNetns } from "./netns.ts";
import { refusedText } from "./nft-error.ts";
import { NftSocket, setText } from "./nft-socket.ts";

const LIST_ATTEMPTS = 16;
const PATIENT_ATTEMPTS = 4;

/** nftables of the namespace this thread is in now. Text goes through libnftables; elements go to the kernel directly,
 *  because libnftables re-reads what it needs of the ruleset before every change. */
export function openNft(): Nft {
  const opened = new DisposableStack();
  try {
    return new OpenNft(opened);
  } catch (error) {
    opened.dispose();
    throw error;
  }
}

class OpenNft implements Nft {
  readonly #opened: DisposableStack;
  readonly #ns: Netns;
  readonly #elements: NftSocket;
  readonly #dumps: NetlinkSocket;
  #context: NftContext | undefined;
  /** How many generations were our doing. */
  #ownGenerations = 0;

  constructor(opened: DisposableStack) {
    this.#opened = opened;
    this.#ns = opened.use(openOwnNetns());
    this.#elements = opened.use(new NftSocket());
    this.#dumps = opened.use(new NetlinkSocket(NETLINK_NETFILTER));
  }

  run(text: string): void {
    this.#counting(() => this.#text(text));
  }

  list(text: string): string {
    return this.#text(text);
  }

  changeElements(ops: readonly NftElementOp[]): void {
    this.#counting(() => this.#elements.change(ops));
  }

  /** A hash table that is still growing after a large change is walked while its elements move: some are then listed twice
   *  and as many not at all, without the kernel saying so (seen on Linux 6.18). So a listing with doubles is taken again. */
  listElements(ref: NftSetRef): readonly NftElement[] {
    for (let attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
      const elements = this.#listOnce(ref);
      const keys = new Set(elements.map(identityOf));
      if (keys.size === elements.length) return elements;
    }
    const errno = constants.errno.EINTR;
    throw new NetlinkError(`list ${setText(ref)}`, {
      errno,
      extAck: "its elements never stood still",
      offset: undefined,
    });
  }

  #listOnce(ref: NftSetRef): readonly NftElement[] {
    const pages = this.#dumps.dump(listing(ref), (message) => decodeElements(message.payload));
    return pages.flat();
  }

  /** The longer it takes, the likelier somebody changes something meanwhile; and a listing that is never whole is no listing. */
  async listElementsInTurns(ref: NftSetRef): Promise<readonly NftElement[]> {
    for (let attempt = 0; attempt < PATIENT_ATTEMPTS; attempt++) {
      const elements = await this.#listPatiently(ref);
      if (elements) return elements;
    }
    return this.listElements(ref);
  }

  /** On a socket of its own, since others may ask something in between. @returns nothing when it was not whole */
  async #listPatiently(ref: NftSetRef): Promise<readonly NftElement[] | undefined> {
    using socket = inNetns(this.#ns, () => new NetlinkSocket(NETLINK_NETFILTER));
    const out: NftElement[] = [];
    const keys = new Set<string>();
    const turns = new Turns();
    const pages = socket.pages(listing(ref), (message) => decodeElements(message.payload));
    for (;;) {
      const { value, done } = pages.next();
      if (done) return value === "complete" && keys.size === out.length ? out : undefined;
      for (const element of value.flat()) {
        out.push(element);
        keys.add(identityOf(element));
      }
      await turns.rest();
    }
  }

  generation(): number {
    const message = this.#dumps.get({
      op: "read the generation of nftables",
      type: nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN),
      parts: [nfGenMsg(0)],
    });
    return decodeGeneration(message.payload);
  }

  foreignGeneration(): number {
    return this.generation() - this.#ownGenerations;
  }

  /** What succeeds is one transaction, or none when there was nothing to change. Somebody else's at the same time is theirs. */
  #counting(change: () => void): void {
    const before = this.generation();
    change();
    if (this.generation() !== before) this.#ownGenerations++;
  }

  [Symbol.dispose](): void {
    this.#opened.dispose();
  }

  /** libnftables opens sockets again when a dump is interrupted, and looks devices up by name: so it always runs inside the
   *  namespace it belongs to. */
  #text(text: string): string {
    let output = "";
    inNetns(this.#ns, () => {
      this.#context ??= this.#opened.use(new NftContext());
      const outcome = this.#context.run(text);
      if (!outcome.ok) throw refusedText(outcome.errors);
      output = outcome.output;
    });
    return output;
  }
}

function listing(ref: NftSetRef): NlRequest {
  return {
    op: `list ${setText(ref)}`,
    type: nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM),
    parts: [nfGenMsg(NF_FAMILY[ref.family]), string(LIST.table, ref.table), string(LIST.set, ref.set)],
  };
}

function identityOf({ key, keyEnd }: NftElement): string {
  return keyEnd ? latin1(key) + latin1(keyEnd) : latin1(key);
}

function latin1({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}
