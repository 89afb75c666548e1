/** Chains that choose an endpoint: one per way in and count of endpoints, and with session affinity per timeout too. */
import { addressOf, type Cidr } from "#addr/cidr";
import { FAMILY, type Family } from "#addr/family";
import { familyOf } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import { markText } from "./element-codec.ts";
import type { ServiceConfig } from "./model.ts";
import { STICKY_MARK } from "./sticky-mark.ts";

export const TABLE = CLAIMS.tables.service;
export const MASQUERADE = markText(CLAIMS.marks.masquerade);
/** Fixed, so that every rule hashes a client alike; two clients with one hash merely share a pin. */
const HASH_SEED = "0x7477696c";
const STICKY_CLIENTS = 262_144;
/** Counts packets that read two generations of the maps. */
export const FALLBACKS = "fallbacks";
/** A port to translate is only taken after a match on the transport protocol. */
const TRANSPORT = "meta l4proto { tcp, udp, sctp }";

/** How a connection comes in decides where its endpoint is looked up and whether its source is hidden: `inside` hides
 *  sources from outside the cluster, `outside` all, `local` and `near` none, and both stay on this node. */
export const ENTRIES = ["inside", "outside", "local", "near"] as const;
export type Entry = (typeof ENTRIES)[number];

/** `inside-3`, or `inside-3-10800` with affinity. */
export function chainFor(entry: Entry, count: number, stickySeconds?: number): string {
  return stickySeconds === undefined ? `${entry}-${count}` : `${entry}-${count}-${stickySeconds}`;
}

/** Whether the endpoints are those on this node. */
export function staysHere(entry: Entry): boolean {
  return entry === "local" || entry === "near";
}

/** Commands that make the chain, or write it afresh where it stands; both are one transaction, so no packet misses it. */
export function chainText(name: string, family: Family, config: ServiceConfig): string {
  const [entry, count, seconds] = name.split("-");
  const at = ENTRIES.find((known) => known === entry);
  if (at === undefined || count === undefined) throw new Error(`broken invariant: no chain is named ${name}`);
  if (seconds === undefined) return commands(name, family, countRules(at, family, config, Number(count)));
  const pin = `pin-${at}-${seconds}`;
  return [
    forgetText(family),
    commands(pin, family, pinRules(at, family, config, Number(seconds))),
    commands(name, family, stickyRules(at, family, config, { count: Number(count), pin })),
  ].join("");
}

/** The rules of a chain without affinity. */
export function countRules(entry: Entry, family: Family, config: ServiceConfig, count: number): string[] {
  return [
    ...masqueradeRules(entry, family, config),
    translation(entry, family, count),
    ...fallbackRules(entry, family),
  ];
}

function translation(entry: Entry, family: Family, count: number, extra = ""): string {
  const map = staysHere(entry) ? "local-endpoints" : "endpoints";
  const choice = `${frontendOf(family)} . numgen random mod ${count}`;
  return `${TRANSPORT} ${extra}dnat ${FAMILY[family].nft} to ${choice} map @${map}`;
}

/** For a packet that found its chain before a change and looks for its endpoint after it. What has any endpoint has a number
 *  0. If even that is gone the packet is: it will be sent again, while a refusal would be believed. What looked on this node
 *  only by preference goes on to where everybody looks. */
function fallbackRules(entry: Entry, family: Family): string[] {
  const rules = [translation(entry, family, 1, `counter name "${FALLBACKS}" `)];
  return entry === "near" ? rules : [...rules, "drop"];
}

/** What clients send to, as a lookup key. */
export function frontendOf(family: Family): string {
  return `${FAMILY[family].nft} daddr . meta l4proto . th dport`;
}

/** Matches packets that come from no pod; nothing where pods cannot be told. */
export function notAPod(family: Family, { localPods }: ServiceConfig): string {
  const saddr = `${FAMILY[family].nft} saddr`;
  switch (localPods.kind) {
    case "cidrs": {
      const pods = ofFamily(localPods.cidrs, family);
      return pods.length === 0 ? "" : `${saddr} != { ${pods.join(", ")} } `;
    }
    case "node-cidrs":
      return `${saddr} . ct direction != @pod-ranges `;
    case "bridge":
      return `iifname != "${localPods.name}" `;
    case "interfaces":
      return `iifname != { ${localPods.prefixes.map((prefix) => `"${prefix}*"`).join(", ")} } `;
    case "none":
      return "";
    default:
      return localPods satisfies never;
  }
}

export function ofFamily(cidrs: readonly Cidr[], family: Family): readonly Cidr[] {
  return cidrs.filter((cidr) => familyOf(addressOf(cidr)) === family);
}

/** Keyed by a hash of the client, not the client: libnftables 1.0.6 aborts on a dynamic map whose key is longer than 16
 *  bytes, and an IPv6 address with a mark is. */
export const STICKY_CLIENTS_MAP = `map sticky-clients { typeof numgen random mod 2 . meta mark : meta mark; flags dynamic,timeout; size ${STICKY_CLIENTS}; comment "client and group: its slot"; }`;

function commands(chain: string, family: Family, rules: readonly string[]): string {
  const at = `${FAMILY[family].nft} ${TABLE} ${chain}`;
  return [`add chain ${at}`, `flush chain ${at}`, ...rules.map((rule) => `add rule ${at} ${rule}`), ""].join(
    "\n",
  );
}

function masqueradeRules(entry: Entry, family: Family, config: ServiceConfig): string[] {
  if (staysHere(entry)) return [];
  const set = `meta mark set meta mark | ${MASQUERADE}`;
  if (entry === "outside" || config.masqueradeAll) return [set];
  const notPod = notAPod(family, config);
  return notPod === "" ? [] : [`${notPod}${set}`];
}

/** The group, then the client's slot if it has one that lives, else a new one by chance. A slot that died is forgotten
 *  first: an update of what is remembered only starts its time anew. */
function stickyRules(
  entry: Entry,
  family: Family,
  config: ServiceConfig,
  { count, pin }: { count: number; pin: string },
): string[] {
  const ids = staysHere(entry) ? "sticky-local-ids" : "sticky-ids";
  const group = `meta mark set ${frontendOf(family)} map @${ids}`;
  return [
    group,
    `meta mark set ${clientOf(family)} . meta mark map @sticky-clients`,
    `meta mark @sticky-live goto ${pin}`,
    group,
    `delete @sticky-clients { ${clientOf(family)} . meta mark : meta mark }`,
    `meta mark set meta mark . numgen random mod ${count} map @sticky-choices`,
    `meta mark @sticky-live goto ${pin}`,
    ...masqueradeRules(entry, family, config),
    ...fallbackRules(entry, family),
  ];
}

/** The mark is a slot: remember it, or start its time anew, and go there. */
function pinRules(entry: Entry, family: Family, config: ServiceConfig, seconds: number): string[] {
  const group = `meta mark & ${markText(STICKY_MARK.groupMask)}`;
  const slot = `meta mark & ${markText(~CLAIMS.marks.masquerade >>> 0)}`;
  return [
    `update @sticky-clients { ${clientOf(family)} . ${group} timeout ${seconds}s : meta mark }`,
    ...masqueradeRules(entry, family, config),
    `${TRANSPORT} dnat ${FAMILY[family].nft} to ${slot} map @sticky-slots`,
    ...fallbackRules(entry, family),
  ];
}

/** Makes marks that hold a slot keep nothing but the masquerade bit before a packet is routed. A base chain that every packet
 *  of the node passes, so it comes with the first service that has affinity. */
function forgetText(family: Family): string {
  const at = `${FAMILY[family].nft} ${TABLE} forget-prerouting`;
  return [
    `add chain ${at} { type filter hook prerouting priority -90; policy accept; }`,
    `flush chain ${at}`,
    `add rule ${at} ct state new jump forget-slot`,
    "",
  ].join("\n");
}

function clientOf(family: Family): string {
  return `jhash ${FAMILY[family].nft} saddr mod 4294967295 seed ${HASH_SEED}`;
}
