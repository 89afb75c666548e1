/** Rules of iptables that K3s, or another Kubernetes, has left: found by the names of chains, as k3s-killall.sh does by lines.
 *  A rule of somebody else's that only mentions `flannel` stays: the script takes it away, and it is not K3s's. */
import type { Family } from "#addr/family";
import { Fault } from "#fault/fault";
import type { NftChain, NftRule } from "#wire/nftables-rule";
import type { XtChain } from "#wire/xtables-chain";
import { decodeXtMatch } from "#wire/xtables-match";

/** The rules of one table that are to go. */
export type TableLeftovers =
  | {
      readonly kind: "nft-rules";
      readonly family: "ip" | "ip6";
      readonly table: string;
      /** Rules of chains that stay, which lead to ones that go. */
      readonly rules: readonly { readonly chain: string; readonly handle: number }[];
      readonly chains: readonly { readonly name: string; readonly handle: number; readonly rules: number }[];
    }
  | {
      readonly kind: "old-rules";
      readonly family: Family;
      readonly table: string;
      readonly rules: readonly { readonly chain: string; readonly offset: number }[];
      readonly chains: readonly { readonly name: string; readonly rules: number }[];
      /** Places of all entries that are to go, chains' heads and ends included. */
      readonly entries: ReadonlySet<number>;
    };

export interface NftTableRules {
  readonly family: "ip" | "ip6";
  readonly table: string;
  readonly chains: readonly { readonly chain: NftChain; readonly rules: readonly NftRule[] }[];
}

/** What flannel writes beside its rules where it has no chain of its own (before 0.20). */
const FLANNEL_COMMENTS = ["flanneld masq", "flanneld forward"];
/** Tables that `iptables` writes; one of another name is somebody's own, whatever its chains are called. */
export const IPTABLES_TABLES: readonly string[] = ["filter", "nat", "mangle", "raw", "security"];

/** `KUBE-*` (`KUBE-ROUTER-*` among them), `CNI-*`, and `flannel*` in any case. */
export function isKubernetesChain(name: string): boolean {
  return /^(?:KUBE-|CNI-)/.test(name) || /^flannel/i.test(name);
}

/** Nothing where the table has none. */
export function nftLeftovers({ family, table, chains }: NftTableRules): TableLeftovers | undefined {
  const going = chains.filter(({ chain }) => !chain.base && isKubernetesChain(chain.chain));
  const names = new Set(going.map(({ chain }) => chain.chain));
  const rules = chains
    .filter(({ chain }) => !names.has(chain.chain))
    .flatMap((each) => each.rules)
    .filter((rule) => isNftLeftover(rule, names))
    .map(({ chain, handle }) => ({ chain, handle }));
  if (going.length === 0 && rules.length === 0) return undefined;
  return {
    kind: "nft-rules",
    family,
    table,
    rules,
    chains: going.map(({ chain, rules: of }) => ({
      name: chain.chain,
      handle: chain.handle,
      rules: of.length,
    })),
  };
}

function isNftLeftover({ expressions }: NftRule, going: ReadonlySet<string>): boolean {
  return expressions.some((expression) => {
    if (expression.kind === "verdict")
      return "chain" in expression.verdict && going.has(expression.verdict.chain);
    return expression.kind === "match" && isFlannelComment(expression.name, expression.info);
  });
}

/** Nothing where the table has none. */
export function oldLeftovers(
  family: Family,
  table: string,
  chains: readonly XtChain[],
): TableLeftovers | undefined {
  const going = chains.filter(({ base, name }) => !base && isKubernetesChain(name));
  const names = new Set(going.map(({ name }) => name));
  const rules = chains
    .filter(({ name }) => !names.has(name))
    .flatMap(({ name, rules: of }) =>
      of
        .filter(
          ({ action, entry }) =>
            ("chain" in action && names.has(action.chain)) ||
            entry.matches.some((match) => isFlannelComment(match.name, match.data)),
        )
        .map(({ entry }) => ({ chain: name, offset: entry.offset })),
    );
  if (going.length === 0 && rules.length === 0) return undefined;
  const entries = [
    ...rules.map(({ offset }) => offset),
    ...going.flatMap((chain) => chain.entries.map((entry) => entry.offset)),
  ];
  return {
    kind: "old-rules",
    family,
    table,
    rules,
    chains: going.map(({ name, rules: of }) => ({ name, rules: of.length })),
    entries: new Set(entries),
  };
}

function isFlannelComment(name: string, info: Uint8Array): boolean {
  if (name !== "comment") return false;
  const match = decodeXtMatch(name, 0, info);
  return match.kind === "comment" && FLANNEL_COMMENTS.includes(match.text);
}

/** What nft reads as a name; the kernel takes any. */
const NFT_NAME = /^[A-Za-z_.][\w./-]*$/;

/** One transaction of nftables: rules that lead there first, then all rules of the chains, then the chains.
 *  @throws {Fault} "OddName" when a chain has one that nft would read as something else */
export function renderNftRemoval(leftovers: Extract<TableLeftovers, { kind: "nft-rules" }>): string {
  const { family, table, rules, chains } = leftovers;
  const odd = [...rules.map(({ chain }) => chain), ...chains.map(({ name }) => name)].find(
    (name) => !NFT_NAME.test(name),
  );
  if (odd !== undefined)
    throw new Fault("OddName", `Cannot remove rules of chain ${JSON.stringify(odd)}: nft reads no such name`);
  return [
    ...rules.map(({ chain, handle }) => `delete rule ${family} ${table} ${chain} handle ${handle}`),
    ...chains.map(({ name }) => `flush chain ${family} ${table} ${name}`),
    ...chains.map(({ name }) => `delete chain ${family} ${table} ${name}`),
    "",
  ].join("\n");
}
