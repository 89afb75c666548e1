/** The fixed nftables program: one table per family, written once at start. Which services there are is in the elements
 *  of its sets; a chain exists per *count* of endpoints, shared by all services with that many. */
import { createHash } from "node:crypto";
import { FAMILY, type Family } from "#addr/family";
import {
  chainFor,
  countRules,
  ENTRIES,
  FALLBACKS,
  frontendOf,
  MASQUERADE,
  notAPod,
  STICKY_CLIENTS_MAP,
  TABLE,
} from "./chains.ts";
import { markText } from "./element-codec.ts";
import type { ServiceConfig } from "./model.ts";
import { declareSet, SET_NAMES } from "./sets.ts";
import { STICKY_MARK } from "./sticky-mark.ts";

/** Chains for up to this many endpoints are part of the program; those for more are added when first needed. */
const READY_COUNTS = 8;

type Chain = readonly [name: string, lines: readonly string[]];

export interface Program {
  /** As an element of the set `program`: equal hashes are equal programs. */
  readonly hash: string;
  /** Makes the table. Does not remove one that stands. */
  readonly text: string;
  /** Chains elements may lead to that are part of `text`. */
  readonly chains: readonly string[];
  /** How many rules each chain has, of those that have any. */
  readonly ruleCounts: ReadonlyMap<string, number>;
}

export function programOf(family: Family, config: ServiceConfig): Program {
  const choosing = readyChains(family, config);
  const chains = [...serviceChains(family, config), ...choosing, ...hooks(config)];
  const sets = SET_NAMES.map((name) => `  ${declareSet(name, family)}\n`);
  const counter = `  counter ${FALLBACKS} { comment "packets that came between two states of the maps" }\n`;
  const body = [counter, ...sets, `  ${STICKY_CLIENTS_MAP}\n`, ...chains.map(chainBlock)].join("");
  const hash = `0x${createHash("sha256").update(body).digest("hex").slice(0, 8)}`;
  const { nft } = FAMILY[family];
  return {
    hash,
    text: `table ${nft} ${TABLE} {\n${body}}\nadd element ${nft} ${TABLE} program { ${hash} }\n`,
    chains: ["refuse", ...choosing.map(([name]) => name)],
    ruleCounts: new Map(chains.map(([name, lines]) => [name, lines.filter(isRule).length])),
  };
}

/** Not the line that hooks a base chain. */
function isRule(line: string): boolean {
  return !line.startsWith("type ");
}

function chainBlock([name, lines]: Chain): string {
  return `  chain ${name} {\n${lines.map((line) => `    ${line}\n`).join("")}  }\n`;
}

function readyChains(family: Family, config: ServiceConfig): Chain[] {
  const counts = Array.from({ length: READY_COUNTS }, (_, i) => i + 1);
  return ENTRIES.flatMap((entry) =>
    counts.map((n): Chain => [chainFor(entry, n), countRules(entry, family, config, n)]),
  );
}

function serviceChains(family: Family, config: ServiceConfig): Chain[] {
  const { nft } = FAMILY[family];
  const frontend = frontendOf(family);
  const flag = markText(STICKY_MARK.flag);
  return [
    // A reset and not an ICMP error for TCP: the kernel sends a client only a few of those a second.
    ["refuse", ["meta l4proto tcp reject with tcp reset", "reject"]],
    [
      "services",
      [
        `${frontend} @guarded ${frontend} . ${nft} saddr != @allowed-sources drop`,
        `${notAPod(family, config)}fib saddr type != local jump strangers`,
        `${frontend} vmap @frontends`,
      ],
    ],
    // Clients that are neither pods nor this node meet external policy Local. Under policy Cluster those of no node go to an
    // endpoint of this node, if there is one, so that it sees who they are.
    [
      "strangers",
      [
        `${frontend} vmap @local-frontends`,
        `${nft} saddr != @cluster-nodes ${frontend} vmap @near-frontends`,
      ],
    ],
    ["unanswered", [`${frontend} vmap @no-endpoints`]],
    // What still carries a service address here was not translated: refuse known ones, drop the rest of the range. Not on
    // input: a node-local DNS cache may hold a ClusterIP itself.
    [
      "untranslated",
      [
        "jump unanswered",
        `${nft} daddr @cluster-ips goto refuse`,
        `${nft} daddr . ct direction @service-ranges drop`,
      ],
    ],
    // Session affinity keeps a slot in the packet's mark while it chooses; only the masquerade bit goes on.
    [
      "forget-slot",
      [`ct status dnat meta mark & ${flag} == ${flag} meta mark set meta mark & ${MASQUERADE}`],
    ],
    ["leaving", ["jump forget-slot", "goto untranslated"]],
    ["first-or-stray", ["ct state invalid drop", "goto untranslated"]],
    // The bit is cleared so that the packet is not masqueraded again once a tunnel has wrapped it.
    [
      "masquerading",
      [
        `meta mark & ${MASQUERADE} == ${MASQUERADE} meta mark set meta mark ^ ${MASQUERADE} masquerade fully-random`,
        `ct status dnat ${nft} saddr . ${nft} daddr @hairpin masquerade fully-random`,
      ],
    ],
  ];
}

/** Hooks and priorities are kube-proxy's. NAT chains see first packets only; filter chains ask for them. */
function hooks({ conntrackBeLiberal = false }: ServiceConfig): readonly Chain[] {
  // A lookup of the state in a map would cost each packet of all established connections as much as the whole chain does so.
  const forward = conntrackBeLiberal
    ? "ct state new jump untranslated"
    : "ct state new,invalid jump first-or-stray";
  return [
    hook("nat-prerouting", "nat", "prerouting", -100, "jump services"),
    hook("nat-output", "nat", "output", -100, "jump services"),
    hook("filter-input", "filter", "input", 0, "ct state new jump unanswered"),
    hook("filter-forward", "filter", "forward", 0, forward),
    hook("filter-output", "filter", "output", 0, "ct state new jump leaving"),
    hook("nat-postrouting", "nat", "postrouting", 100, "jump masquerading"),
  ];
}

function hook(name: string, type: string, at: string, priority: number, rule: string): Chain {
  return [name, [`type ${type} hook ${at} priority ${priority}; policy accept;`, rule]];
}

/** Removes the table, whether it stands or not. To be followed by the program in the same transaction. */
export function wipeText(family: Family): string {
  const at = `${FAMILY[family].nft} ${TABLE}`;
  return `add table ${at}\ndelete table ${at}\n`;
}
