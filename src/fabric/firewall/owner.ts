import type { FirewallOwner } from "./finding.ts";
import type { FilterChain } from "./rule.ts";

/** Tables and chains that `iptables` makes when it writes nftables. */
const IPTABLES_TABLES = ["filter", "mangle", "security", "raw", "nat"];
const IPTABLES_CHAINS = ["INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING"];

/** Whose chain drops the packets: by the chain itself, else by the company it keeps. */
export function ownerOf(
  base: FilterChain,
  byName: ReadonlyMap<string, FilterChain>,
  dropping: string,
): FirewallOwner {
  if (/^firewalld/.test(base.table)) return "firewalld";
  if (/^KUBE-|^CNI-|^FLANNEL/i.test(dropping)) return "k3s";
  if (!isIptables(base)) return "nftables";
  const called = [...reachable(base, byName)];
  // Of a firewalld that writes iptables.
  if (called.some((name) => /^(INPUT|FORWARD_IN)_ZONES/.test(name))) return "firewalld";
  if (/^ufw6?-/.test(dropping)) return "ufw";
  if (/^DOCKER/.test(dropping)) return "docker";
  const isDocker = base.base?.hook === "forward" && called.some((name) => name.startsWith("DOCKER"));
  if (called.some((name) => /^ufw6?-/.test(name))) return "ufw";
  return isDocker ? "docker" : "iptables";
}

/** Whether the rule is one of `iptables`, whichever tables it writes. */
export function isIptables({ engine, table, name, family }: FilterChain): boolean {
  return (
    engine === "old" ||
    (family !== "inet" && IPTABLES_TABLES.includes(table) && IPTABLES_CHAINS.includes(name))
  );
}

function reachable(base: FilterChain, byName: ReadonlyMap<string, FilterChain>): ReadonlySet<string> {
  const seen = new Set<string>([base.name]);
  for (const name of seen)
    for (const { action } of byName.get(name)?.rules ?? []) if ("chain" in action) seen.add(action.chain);
  return seen;
}
