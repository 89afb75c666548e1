import { FAMILIES } from "#addr/family";
import type { PacketFilters } from "#kernel/packet-filters";
import {
  IPTABLES_TABLES,
  isKubernetesChain,
  type NftTableRules,
  nftLeftovers,
  oldLeftovers,
  type TableLeftovers,
} from "./rules.ts";

/** All rules that Kubernetes left, table by table. @throws {NetlinkError} {SyscallFault} */
export function findRuleLeftovers(filters: PacketFilters): readonly TableLeftovers[] {
  return [
    ...readNftTables(filters).flatMap((table) => nftLeftovers(table) ?? []),
    ...FAMILIES.flatMap((family) =>
      filters
        .listOldTables(family)
        .filter((table) => IPTABLES_TABLES.includes(table))
        .flatMap((table) => oldLeftovers(family, table, filters.readOldTable(family, table)) ?? []),
    ),
  ];
}

/** Names of chains that Kubernetes left, for a line in a log; rules are not read. */
export function chainLeftovers(filters: PacketFilters): readonly string[] {
  const now = filters
    .listChains()
    .filter(({ family, table, base }) => !base && isIptables(family) && IPTABLES_TABLES.includes(table))
    .map(({ chain }) => chain);
  const old = FAMILIES.flatMap((family) =>
    filters
      .listOldTables(family)
      .filter((table) => IPTABLES_TABLES.includes(table))
      .flatMap((table) => filters.readOldTable(family, table).filter(({ base }) => !base)),
  );
  return [...new Set([...now, ...old.map(({ name }) => name)].filter(isKubernetesChain))].sort();
}

function isIptables(family: string): family is "ip" | "ip6" {
  return family === "ip" || family === "ip6";
}

function readNftTables(filters: PacketFilters): readonly NftTableRules[] {
  const tables = new Map<
    string,
    { family: "ip" | "ip6"; table: string; chains: NftTableRules["chains"][number][] }
  >();
  for (const chain of filters.listChains()) {
    const { family, table } = chain;
    if (!isIptables(family) || !IPTABLES_TABLES.includes(table)) continue;
    const key = `${family} ${table}`;
    const rules = filters.listRules(chain);
    const standing = tables.get(key) ?? { family, table, chains: [] };
    standing.chains.push({ chain, rules });
    tables.set(key, standing);
  }
  return [...tables.values()];
}
