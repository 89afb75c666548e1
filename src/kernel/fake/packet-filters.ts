import { constants } from "node:os";
import { SyscallFault } from "#fault/kernel-fault";
import type { NftChain, NftExpression, NftFamily, NftHook, NftRule } from "#wire/nftables-rule";
import type { PacketFilters } from "../packet-filters.ts";
import type { FakeNamespace } from "./namespace.ts";
import { splitStatements } from "./nft-statements.ts";

/** The fake nftables, listed as rules. Of a rule the verdict is read; what it asks of a packet stays one unknown word. There
 *  is no old iptables here. */
export function fakePacketFilters(here: FakeNamespace): PacketFilters {
  const chains = () => readChains(here.nft.list("list ruleset"));
  return {
    listChains: () => chains().map(({ chain }) => chain),
    listRules({ family, table, chain: name }) {
      const found = chains().find(
        ({ chain }) => chain.family === family && chain.table === table && chain.chain === name,
      );
      return found?.rules ?? [];
    },
    listTableRules: ({ family, table }) =>
      chains().flatMap(({ chain, rules }) => (chain.family === family && chain.table === table ? rules : [])),
    listSet: ({ family, table, set }) =>
      here.nft
        .listElements({ family: family as "ip" | "ip6" | "inet", table, set })
        .map(({ key, keyEnd, data }) => ({
          low: key,
          high: keyEnd ?? key,
          verdict:
            data?.kind !== "verdict"
              ? undefined
              : "chain" in data
                ? { kind: data.verdict, chain: data.chain }
                : { kind: data.verdict },
        })),
    listOldTables: () => [],
    readOldTable: (_, table) => {
      throw new SyscallFault("read", `table ${table}`, constants.errno.ENOENT);
    },
    removeOldEntries: (_, table) => {
      throw new SyscallFault("read", `table ${table}`, constants.errno.ENOENT);
    },
    [Symbol.dispose]() {},
  };
}

function readChains(text: string): readonly { chain: NftChain; rules: readonly NftRule[] }[] {
  let handle = 0;
  return splitStatements(text).flatMap(({ words, block = "" }) => {
    const [, family = "", table = ""] = words.split(/\s+/);
    const inside = splitStatements(block).filter((statement) => statement.words.startsWith("chain "));
    return inside.map((statement) => {
      const name = statement.words.slice("chain ".length).trim();
      const ref = { family: family as NftFamily, table, chain: name };
      const lines = splitStatements(statement.block ?? "");
      const base = lines.map((line) => baseOf(line.words)).find((found) => found !== undefined);
      const policy = lines.some((line) => line.words === "policy drop") ? "drop" : "accept";
      const rules = lines
        .filter((line) => !/^(type|policy) /.test(line.words))
        .map((line) => ({
          ...ref,
          handle: ++handle,
          expressions: readRule(line.block === undefined ? line.words : `${line.words} {${line.block}}`),
        }));
      return { chain: { ...ref, handle: ++handle, base: base && { ...base, policy } }, rules };
    });
  });
}

function baseOf(words: string) {
  const [, type, hook, priority] = /^type (\S+) hook (\S+) priority (-?\d+)/.exec(words) ?? [];
  if (type === undefined || hook === undefined) return undefined;
  return { type, hook: hook as NftHook, priority: Number(priority) };
}

function readRule(text: string): readonly NftExpression[] {
  const [, asked = "", verdict, chain = ""] = /^(.*?)\s*\b(accept|drop|return|(?:jump|goto) (\S+))$/.exec(
    text,
  ) ?? [text, text];
  const other: NftExpression[] = asked === "" ? [] : [{ kind: "other", name: asked, to: undefined }];
  if (verdict === undefined) return other;
  const [word = ""] = verdict.split(" ");
  if (word === "jump" || word === "goto")
    return [...other, { kind: "verdict", verdict: { kind: word, chain } }];
  return [...other, { kind: "verdict", verdict: { kind: word as "accept" | "drop" | "return" } }];
}
