import { FAMILIES, FAMILY, type Family } from "#addr/family";
import { adviceFor } from "./advice.ts";
import type { FilterDump, NftTableDump } from "./dump.ts";
import type { FirewallFinding, FirewallTraffic } from "./finding.ts";
import { lowerNftRule } from "./lower-nft.ts";
import { lowerOldChain } from "./lower-old.ts";
import { ownerOf } from "./owner.ts";
import type { FilterChain } from "./rule.ts";
import { type FirewallNeeds, type TrafficClass, trafficOf } from "./traffic.ts";
import { type Outcome, walk } from "./walk.ts";

/** What this machine looks like beside its rules; only the wording depends on it. */
export interface FirewallHints {
  /** Whether the command `iptables` writes the old tables. */
  readonly iptablesIsOld: boolean;
  /** Whether nm-cloud-setup starts with the machine: it takes packets of addresses it does not know out of the way. */
  readonly hasCloudSetup: boolean;
}

/** Tells which filters drop what the cluster needs, and the commands that let it through. Pure. */
export function findFirewalls(
  dump: FilterDump,
  needs: FirewallNeeds,
  hints: FirewallHints = { iptablesIsOld: false, hasCloudSetup: false },
): readonly FirewallFinding[] {
  const traffic = trafficOf(needs);
  const dropped = FAMILIES.flatMap((family) => {
    const wanted = traffic.filter((each) => each.family === family);
    return wanted.length === 0
      ? []
      : tablesOf(dump, family).flatMap((chains) => findInTable(chains, wanted, needs, hints));
  });
  return hints.hasCloudSetup ? [...dropped, CLOUD_SETUP] : dropped;
}

/** As K3s's documentation has it, of Red Hat's systems before 8.4. */
const CLOUD_SETUP: FirewallFinding = {
  key: "nm-cloud-setup",
  owner: "nm-cloud-setup",
  place: "policy routing",
  family: 4,
  drops: "pods",
  port: undefined,
  isCertain: false,
  summary:
    "nm-cloud-setup may lead IPv4 traffic of pods astray: it starts with this machine and makes routing rules",
  fix: ["systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer"],
};

/** Tables that packets of a family meet, each as its chains. */
function tablesOf(dump: FilterDump, family: Family): readonly (readonly FilterChain[])[] {
  const { nft } = FAMILY[family];
  const now = dump.nft.filter((table) => table.family === "inet" || table.family === nft);
  const old = dump.old.filter((table) => table.family === family);
  return [
    ...now.map((table) => lowerNftTable(table, family)),
    ...old.map(({ table, chains }) => chains.map((chain) => lowerOldChain(chain, nft, table))),
  ];
}

function lowerNftTable({ family, name, chains, sets }: NftTableDump, of: Family): readonly FilterChain[] {
  return chains.map(({ chain, rules }) => ({
    engine: "nftables",
    family,
    table: name,
    name: chain.chain,
    base:
      chain.base?.type === "filter" && (chain.base.hook === "input" || chain.base.hook === "forward")
        ? { hook: chain.base.hook, policy: chain.base.policy }
        : undefined,
    rules: rules.flatMap((rule) => lowerNftRule(rule.expressions, of, (set) => sets.get(set))),
  }));
}

function findInTable(
  chains: readonly FilterChain[],
  wanted: readonly TrafficClass[],
  needs: FirewallNeeds,
  hints: FirewallHints,
): readonly FirewallFinding[] {
  const byName = new Map(chains.map((chain) => [chain.name, chain]));
  return chains.flatMap((base) =>
    wanted.flatMap((traffic) => {
      if (base.base?.hook !== traffic.hook) return [];
      const drop = firstDrop(base, byName, traffic);
      return drop ? [findingOf({ base, byName, traffic, drop, needs, hints })] : [];
    }),
  );
}

/** A drop for sure before one in doubt. */
function firstDrop(base: FilterChain, byName: ReadonlyMap<string, FilterChain>, traffic: TrafficClass) {
  const drops = traffic.packets
    .map((packet) => walk(base, byName, packet))
    .filter((outcome) => outcome.kind === "drops");
  return drops.find((drop) => drop.isCertain) ?? drops[0];
}

export interface Found {
  readonly base: FilterChain;
  readonly byName: ReadonlyMap<string, FilterChain>;
  readonly traffic: TrafficClass;
  readonly drop: Extract<Outcome, { kind: "drops" }>;
  readonly needs: FirewallNeeds;
  readonly hints: FirewallHints;
}

const TRAFFIC_TEXT: Readonly<Record<FirewallTraffic, string>> = {
  pods: "traffic to pods through this node",
  "pods-out": "traffic from pods to outside the cluster",
  "pods-to-node": "traffic from pods to this node",
  tunnel: "other nodes' tunnels",
  api: "other nodes' requests to the API",
  kubelet: "servers' requests to this node's kubelet",
};

const OWNER_TEXT = {
  firewalld: "firewalld",
  ufw: "ufw",
  docker: "Docker's rules",
  iptables: "iptables",
  nftables: "an nftables table",
  k3s: "rules that Kubernetes left",
  "nm-cloud-setup": "nm-cloud-setup",
} as const;

function findingOf(found: Found): FirewallFinding {
  const { base, traffic, drop } = found;
  const owner = ownerOf(base, found.byName, drop.chain);
  const table = `${base.engine === "old" ? "legacy " : ""}table ${base.family} ${base.table}`;
  const place = `${table}, chain ${drop.chain} (${drop.by === "policy" ? "policy drop" : "a rule"})`;
  const verb = drop.isCertain ? "drop" : "may drop";
  const what = `${TRAFFIC_TEXT[traffic.kind]}${traffic.port === undefined ? "" : ` (${traffic.port})`}`;
  const subject = OWNER_TEXT[owner];
  const says = subject.endsWith("rules") || owner === "k3s" || verb === "may drop" ? verb : `${verb}s`;
  return {
    key: [
      base.engine,
      base.family,
      base.table,
      base.name,
      traffic.kind,
      traffic.family,
      traffic.port ?? "",
    ].join(" "),
    owner,
    place,
    family: traffic.family,
    drops: traffic.kind,
    port: traffic.port,
    isCertain: drop.isCertain,
    summary: `${subject} ${says} IPv${traffic.family} ${what}: ${place}`,
    fix: adviceFor(owner, found),
  };
}
