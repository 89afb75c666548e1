import { createHash } from "node:crypto";
import { FAMILIES, FAMILY, type Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import { countRules } from "#kernel/nft-listing";
import { guardRules, guardSets, memberLines } from "./guard.ts";
import type { MasqueradeInput, Program, ProgramInput } from "./model.ts";

const TABLE = CLAIMS.tables.fabric;
const MARK = `0x${CLAIMS.marks.masquerade.toString(16)}`;
const MULTICAST = { 4: "224.0.0.0/4", 6: "ff00::/8" } as const;

/** The program with a name that is the same for the same rules. It is a chain's, so that a look at the kernel tells which
 *  program is loaded. */
export function nameProgram(input: ProgramInput): Program {
  const lines = programLines(input);
  const digest = createHash("sha256").update(lines.join("\n")).digest("hex");
  const rules = lines.filter((line) => line.startsWith("add rule ")).length;
  return { name: `program-${digest.slice(0, 12)}`, rules, input };
}

/** Which program a listing of our table shows, and how much of it. */
export function findProgram(listing: string): Program | undefined {
  const name = [...listing.matchAll(/chain .*\b(program-[0-9a-f]{12})\b/g)].at(-1)?.[1];
  return name === undefined ? undefined : { name, rules: countRules(listing) };
}

/** One transaction that replaces the whole table, members included, so that there is no moment without the guard. */
export function renderProgram({ name, input }: Program, members: Iterable<Ip>): string {
  if (input === undefined) throw new Error(`broken invariant: ${name} was observed, not made`);
  const lines = [
    `add table inet ${TABLE}`,
    `delete table inet ${TABLE}`,
    `add table inet ${TABLE}`,
    `add chain inet ${TABLE} ${name}`,
    ...programLines(input),
    ...memberLines(members),
  ];
  return `${lines.join("\n")}\n`;
}

function programLines(input: ProgramInput): readonly string[] {
  return [...guardSets(), ...guardRules(input), ...postroutingRules(input)];
}

function postroutingRules({ masquerade }: ProgramInput): readonly string[] {
  const lines = [
    `add chain inet ${TABLE} postrouting { type nat hook postrouting priority 100; policy accept; }`,
  ];
  const masqueraded = FAMILIES.flatMap((family) => {
    const row = masquerade[family];
    return row === undefined ? [] : masqueradeRules(family, row);
  });
  if (masqueraded.length > 0)
    lines.push(`add rule inet ${TABLE} postrouting meta mark & ${MARK} == ${MARK} return`, ...masqueraded);
  return lines;
}

/** Flannel's rules in flannel's order; the first, common to both families, leaves alone what the service proxy has marked.
 *  @see flannel pkg/trafficmngr/iptables */
function masqueradeRules(family: Family, { mode, cluster, node }: MasqueradeInput): readonly string[] {
  const ip = FAMILY[family].nft;
  const verdict = mode === "fully-random" ? "masquerade fully-random" : "masquerade";
  return [
    `${ip} saddr ${node} ${ip} daddr ${cluster} return`,
    `${ip} saddr ${cluster} ${ip} daddr ${node} return`,
    `${ip} saddr != ${cluster} ${ip} daddr ${node} return`,
    `${ip} saddr ${cluster} ${ip} daddr != ${MULTICAST[family]} ${verdict}`,
    `${ip} saddr != ${cluster} ${ip} daddr ${cluster} ${verdict}`,
  ].map((rule) => `add rule inet ${TABLE} postrouting ${rule}`);
}
