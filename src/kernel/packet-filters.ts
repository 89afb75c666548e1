/** What filters packets in a network namespace, whoever put it there, read from the kernel itself: nftables by its messages,
 *  the old iptables by its socket options. Listing makes nothing: a table of iptables that was never used stays so. */
import { readFileSync } from "node:fs";
import { FAMILY, type Family } from "#addr/family";
import { SyscallFault } from "#fault/kernel-fault";
import { string } from "#wire/netlink-attribute";
import { NFNL_SUBSYS_NFTABLES, nfGenMsg, nfType } from "#wire/nfnetlink";
import { NFT_MSG_GETSETELEM } from "#wire/nfnetlink-element";
import {
  decodeChain,
  decodeRule,
  NFT_FAMILY,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETRULE,
  type NftChain,
  type NftChainRef,
  type NftRule,
} from "#wire/nftables-rule";
import {
  decodeIsInterval,
  decodeSetElements,
  NFT_MSG_GETSET,
  type NftSetRange,
  rangesOf,
  SET,
} from "#wire/nftables-set";
import { chainsOf, encodeCounters, encodeReplace, withoutEntries, type XtChain } from "#wire/xtables-chain";
import { decodeEntries, decodeTableInfo, INFO_BYTES } from "#wire/xtables-table";
import { Fd } from "./fd.ts";
import { getsockopt, SOCK_CLOEXEC, SOCK_RAW, setsockopt, socket } from "./ffi/libc.ts";
import { withMemory } from "./ffi/memory.ts";
import type { Netns } from "./kernel.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "./netlink-socket.ts";
import { inNetns, openOwnNetns } from "./netns.ts";

export interface PacketFilters extends Disposable {
  /** Chains of nftables, of all tables. */
  listChains(): readonly NftChain[];
  /** In their order; none of a chain that is gone. */
  listRules(chain: NftChainRef): readonly NftRule[];
  /** Those of all its chains; none of a table that is gone. */
  listTableRules(table: Omit<NftChainRef, "chain">): readonly NftRule[];
  /** What is in a set or a verdict map. @throws {NetlinkError} ENOENT */
  listSet(set: { family: NftChainRef["family"]; table: string; set: string }): readonly NftSetRange[];
  /** Names of the old iptables' tables that are in use. */
  listOldTables(family: Family): readonly string[];
  /** @throws {SyscallFault} ENOENT; EAGAIN when somebody changed it meanwhile */
  readOldTable(family: Family, table: string): readonly XtChain[];
  /** Takes entries (by their places) out of an old table in one step. All others keep their bytes and what they counted.
   *  @throws {SyscallFault} EAGAIN when somebody changed it meanwhile */
  removeOldEntries(family: Family, table: string, gone: ReadonlySet<number>): void;
}

const RULE = { table: 1, chain: 2 } as const;
const IPPROTO_RAW = 255;
const IPPROTO = { 4: 0, 6: 41 } as const;
const OPTION = { info: 64, entries: 65, replace: 64, addCounters: 65 } as const;
const GET_ENTRIES_BYTES = 40;
const COUNTER_BYTES = 16;
const NAMES = { 4: "ip_tables_names", 6: "ip6_tables_names" } as const;

/** Those of the namespace this thread is in now. */
export function openPacketFilters(): PacketFilters {
  const opened = new DisposableStack();
  try {
    return new OpenFilters(opened);
  } catch (error) {
    opened.dispose();
    throw error;
  }
}

class OpenFilters implements PacketFilters {
  readonly #opened: DisposableStack;
  readonly #ns: Netns;
  readonly #netlink: NetlinkSocket;
  readonly #sockets: { 4?: Fd; 6?: Fd } = {};

  constructor(opened: DisposableStack) {
    this.#opened = opened;
    this.#ns = opened.use(openOwnNetns());
    this.#netlink = opened.use(new NetlinkSocket(NETLINK_NETFILTER));
  }

  listChains(): readonly NftChain[] {
    return this.#netlink.dump(
      {
        op: "list chains of nftables",
        type: nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN),
        parts: [nfGenMsg(0)],
      },
      (message) => decodeChain(message.payload),
    );
  }

  listRules({ family, table, chain }: NftChainRef): readonly NftRule[] {
    return this.#netlink.dump(
      {
        op: `list rules of chain ${chain} of table ${family} ${table}`,
        type: nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE),
        parts: [nfGenMsg(NFT_FAMILY[family]), string(RULE.table, table), string(RULE.chain, chain)],
      },
      (message) => decodeRule(message.payload),
    );
  }

  listTableRules({ family, table }: Omit<NftChainRef, "chain">): readonly NftRule[] {
    return this.#netlink.dump(
      {
        op: `list rules of table ${family} ${table}`,
        type: nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE),
        parts: [nfGenMsg(NFT_FAMILY[family]), string(RULE.table, table)],
      },
      (message) => decodeRule(message.payload),
    );
  }

  listSet({ family, table, set }: Parameters<PacketFilters["listSet"]>[0]): readonly NftSetRange[] {
    const parts = [nfGenMsg(NFT_FAMILY[family]), string(SET.table, table), string(SET.name, set)];
    const op = `list set ${set} of table ${family} ${table}`;
    const head = this.#netlink.get({ op, type: nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSET), parts });
    const pages = this.#netlink.dump(
      { op, type: nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM), parts },
      (message) => decodeSetElements(message.payload),
    );
    return rangesOf(pages.flat(), decodeIsInterval(head.payload));
  }

  /** The kernel would make a table that is asked for by name, so its own list is asked first. */
  listOldTables(family: Family): readonly string[] {
    let names = "";
    inNetns(this.#ns, () => {
      names = readOrNothing(`/proc/thread-self/net/${NAMES[family]}`);
    });
    return names.split("\n").filter((name) => name !== "");
  }

  readOldTable(family: Family, table: string): readonly XtChain[] {
    const { info, entries } = this.#read(family, table);
    return chainsOf(info, entries);
  }

  removeOldEntries(family: Family, table: string, gone: ReadonlySet<number>): void {
    const { info, entries } = this.#read(family, table);
    const replacement = withoutEntries(family, info, entries, gone);
    const fd = this.#socket(family).number;
    withMemory(replacement.replaces * COUNTER_BYTES, (counters) =>
      setsockopt(fd, IPPROTO[family], OPTION.replace, encodeReplace(replacement, counters)),
    );
    setsockopt(fd, IPPROTO[family], OPTION.addCounters, encodeCounters(replacement));
  }

  [Symbol.dispose](): void {
    this.#opened.dispose();
  }

  #read(family: Family, table: string) {
    if (!this.listOldTables(family).includes(table))
      throw new SyscallFault("read", `table ${table} of the old ${FAMILY[family].nft}tables`, ENOENT);
    const fd = this.#socket(family).number;
    const info = new Uint8Array(INFO_BYTES);
    writeName(info, table);
    getsockopt(fd, IPPROTO[family], OPTION.info, info);
    const decoded = decodeTableInfo(info);
    const answer = new Uint8Array(GET_ENTRIES_BYTES + decoded.bytes);
    writeName(answer, table);
    new DataView(answer.buffer).setUint32(32, decoded.bytes, true);
    getsockopt(fd, IPPROTO[family], OPTION.entries, answer);
    return { info: decoded, entries: decodeEntries(family, answer.subarray(GET_ENTRIES_BYTES)) };
  }

  #socket(family: Family): Fd {
    let fd = this.#sockets[family];
    if (fd !== undefined) return fd;
    inNetns(this.#ns, () => {
      const number = socket(FAMILY[family].af, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
      fd = this.#opened.use(new Fd(number, "iptables socket"));
    });
    if (fd === undefined) throw new Error("broken invariant: the guard did not run");
    this.#sockets[family] = fd;
    return fd;
  }
}

const ENOENT = 2;

function writeName(into: Uint8Array, name: string): void {
  into.set(new TextEncoder().encode(name).subarray(0, 31));
}

/** A machine without the old tables has no list of them. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
