import { FAMILIES, type Family } from "#addr/family";
import { isFault } from "#fault/fault";
import type { PacketFilters } from "#kernel/packet-filters";
import type { NftChain, NftRule } from "#wire/nftables-rule";
import type { NftSetRange } from "#wire/nftables-set";
import type { XtChain } from "#wire/xtables-chain";

/** Every chain that packets to this machine or through it can come to, and what its rules look values up in. */
export interface FilterDump {
  readonly nft: readonly NftTableDump[];
  readonly old: readonly {
    readonly family: Family;
    readonly table: string;
    readonly chains: readonly XtChain[];
  }[];
}

export interface NftTableDump {
  readonly family: "ip" | "ip6" | "inet";
  readonly name: string;
  readonly chains: readonly { readonly chain: NftChain; readonly rules: readonly NftRule[] }[];
  readonly sets: ReadonlyMap<string, readonly NftSetRange[]>;
}

/** Chains read of one table at most; more is what a service proxy has, and no firewall. */
const MOST_CHAINS = 2_000;
/** Old tables that can drop: those of address translation cannot. */
const OLD_TABLES = ["filter", "mangle", "security"];

export interface DumpOptions {
  /** Whether a table of nftables is Twill's own. */
  readonly isOwn: (table: string) => boolean;
}

/** Reads what filters packets here. A chain or set that goes away meanwhile is left out.
 *  @throws {NetlinkError} {SyscallFault} */
export function dumpFilters(filters: PacketFilters, { isOwn }: DumpOptions): FilterDump {
  const byTable = new Map<string, NftChain[]>();
  for (const chain of filters.listChains()) {
    if (!["ip", "ip6", "inet"].includes(chain.family) || isOwn(chain.table)) continue;
    const key = `${chain.family} ${chain.table}`;
    byTable.set(key, [...(byTable.get(key) ?? []), chain]);
  }
  return {
    nft: [...byTable.values()].flatMap((chains) => dumpTable(filters, chains) ?? []),
    old: FAMILIES.flatMap((family) => dumpOld(filters, family)),
  };
}

/** Whether packets are filtered where this chain hangs. Translation is not asked: it drops nothing. */
function isFiltering({ base }: NftChain): boolean {
  return base?.type === "filter" && (base.hook === "input" || base.hook === "forward");
}

function dumpTable(filters: PacketFilters, chains: readonly NftChain[]): NftTableDump | undefined {
  const [first] = chains;
  const wanted = chains.filter(isFiltering);
  if (!first || wanted.length === 0) return undefined;
  const byName = new Map(chains.map((chain) => [chain.chain, chain]));
  const seen = new Set(wanted.map(({ chain }) => chain));
  const out: { chain: NftChain; rules: readonly NftRule[] }[] = [];
  const sets = new Map<string, readonly NftSetRange[]>();
  const follow = (name: string) => {
    const chain = byName.get(name);
    if (!chain || seen.has(name)) return;
    seen.add(name);
    wanted.push(chain);
  };
  for (let chain = wanted.shift(); chain && out.length < MOST_CHAINS; chain = wanted.shift()) {
    const rules = filters.listRules(chain);
    out.push({ chain, rules });
    for (const rule of rules) for (const name of targetsOf(filters, rule, sets)) follow(name);
  }
  return { family: first.family as NftTableDump["family"], name: first.table, chains: out, sets };
}

/** Chains that a rule leads to. Sets it asks are read on the way. */
function targetsOf(
  filters: PacketFilters,
  { family, table, expressions }: NftRule,
  sets: Map<string, readonly NftSetRange[]>,
): readonly string[] {
  return expressions.flatMap((expression) => {
    if (expression.kind === "verdict") return "chain" in expression.verdict ? [expression.verdict.chain] : [];
    if (expression.kind !== "lookup") return [];
    const { set } = expression;
    const ranges = sets.get(set) ?? present(() => filters.listSet({ family, table, set }));
    if (ranges) sets.set(set, ranges);
    return (ranges ?? []).flatMap(({ verdict }) => (verdict && "chain" in verdict ? [verdict.chain] : []));
  });
}

function dumpOld(filters: PacketFilters, family: Family): FilterDump["old"] {
  const tables = filters.listOldTables(family).filter((table) => OLD_TABLES.includes(table));
  return tables.flatMap((table) => {
    const chains = present(() => filters.readOldTable(family, table));
    return chains ? [{ family, table, chains }] : [];
  });
}

/** Nothing of what went away between two looks. */
function present<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isFault(error) && (error.code === "ENOENT" || error.code === "EAGAIN")) return undefined;
    throw error;
  }
}
