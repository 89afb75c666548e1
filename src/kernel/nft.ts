import { string } from "#wire/netlink-attribute";
import { NFNL_SUBSYS_NFTABLES, nfGenMsg, nfType } from "#wire/nfnetlink";
import { decodeElements, LIST, NF_FAMILY, NFT_MSG_GETSETELEM } from "#wire/nfnetlink-element";
import { decodeGeneration, NFT_MSG_GETGEN } from "#wire/nfnetlink-generation";
import { NftContext } from "./ffi/libnftables.ts";
import type { Netns, Nft, NftElement, NftElementOp, NftSetRef } from "./kernel.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "./netlink-socket.ts";
import { inNetns, openOwnNetns } from "./netns.ts";
import { refusedText } from "./nft-error.ts";
import { NftSocket, setText } from "./nft-socket.ts";

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

  constructor(opened: DisposableStack) {
    this.#opened = opened;
    this.#ns = opened.use(openOwnNetns());
    this.#elements = opened.use(new NftSocket());
    this.#dumps = opened.use(new NetlinkSocket(NETLINK_NETFILTER));
  }

  run(text: string): void {
    this.#text(text);
  }

  list(text: string): string {
    return this.#text(text);
  }

  changeElements(ops: readonly NftElementOp[]): void {
    this.#elements.change(ops);
  }

  listElements(ref: NftSetRef): readonly NftElement[] {
    const pages = this.#dumps.dump(
      {
        op: `list ${setText(ref)}`,
        type: nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM),
        parts: [nfGenMsg(NF_FAMILY[ref.family]), string(LIST.table, ref.table), string(LIST.set, ref.set)],
      },
      (message) => decodeElements(message.payload),
    );
    return pages.flat();
  }

  generation(): number {
    const message = this.#dumps.get({
      op: "read the generation of nftables",
      type: nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN),
      parts: [nfGenMsg(0)],
    });
    return decodeGeneration(message.payload);
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
