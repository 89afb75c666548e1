/** The table's rows, walked through a program. */
import type { Family } from "#addr/family";
import type { Ip } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import {
  ENDPOINTS,
  NODE,
  type Protocol,
  type Row,
  type Scene,
  SENDERS,
  type Sender,
  TARGET_PORT,
} from "./cases.ts";
import { addressIn, PROTOCOLS, targetOf } from "./scene-objects.ts";
import type { Table } from "./walk/ruleset.ts";
import { type Memory, type Outcome, outcomesOf, type Packet, type Situation } from "./walk/walk.ts";

/** One packet of a row. */
export interface Shot {
  readonly name: string;
  readonly scene: Scene;
  readonly from: Sender;
  readonly family: Family;
  readonly protocol: Protocol;
  readonly source: Ip;
  readonly to: { readonly ip: Ip; readonly port: number };
  readonly gives: string;
}

export const DOORS: Readonly<Record<Sender, string | undefined>> = {
  a: "to-a",
  b: "to-b",
  d: "to-there",
  node: undefined,
  other: "to-there",
  outside: "to-client",
  faraway: "to-client",
};

/** Every packet of the scenes: rows times senders, ways, protocols. */
export function shotsOf(scenes: readonly Scene[], family: Family): readonly Shot[] {
  return scenes.flatMap((scene, index) =>
    scene.rows
      .filter((row) => row.family === undefined || row.family === family)
      .flatMap((row) => shotsOfRow(scene, index, row, family)),
  );
}

function shotsOfRow(scene: Scene, index: number, row: Row, family: Family): Shot[] {
  const list = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);
  const shots: Shot[] = [];
  for (const from of list<Sender>(row.from))
    for (const to of list<string>(row.to))
      for (const protocol of row.protocols ?? PROTOCOLS)
        shots.push({
          name: `${scene.name}: ${from} -> ${to} ${protocol}/${family}`,
          scene,
          from,
          family,
          protocol,
          source: to.endsWith("LOOPBACK") ? addressIn("LOOPBACK", family) : addressIn(SENDERS[from], family),
          to: targetOf(scene, index, to, family),
          gives: row.gives,
        });
  return shots;
}

export function packetOf({ from, source, to, protocol }: Shot): Packet {
  const enters = DOORS[from];
  return { from: source, to: to.ip, port: to.port, protocol, ...(enters === undefined ? {} : { enters }) };
}

/** This node, as the packets of the table meet it. */
export function situation(
  family: Family,
  { now = 0, remembered = new Map() }: { now?: number; remembered?: Memory } = {},
): Situation {
  const own = [...Object.values(NODE), "10.42.0.1", "LOOPBACK"].map((text) => addressIn(text, family));
  return { locals: new Set(own), now, remembered };
}

/** What becomes of the packet, in the table's words; and by which rules. */
export function walked(
  table: Table,
  shot: Shot,
): { readonly gives: string; readonly rules: readonly string[] } {
  const outcomes = outcomesOf(table, packetOf(shot), situation(shot.family));
  return { gives: inWords(outcomes, shot), rules: outcomes[0]?.rules ?? [] };
}

/** Packets that do not come out as the table says, and by which rules. */
export function astray(table: Table, shots: readonly Shot[]): readonly string[] {
  return shots.flatMap((shot) => {
    const { gives, rules } = walked(table, shot);
    return gives === shot.gives ? [] : [`${shot.name}: ${gives}; not ${shot.gives}; by ${rules.join(" | ")}`];
  });
}

/** Several outcomes are one sentence only if they differ in nothing but the endpoint. */
export function inWords(
  outcomes: readonly Outcome[],
  { family, protocol }: Pick<Shot, "family" | "protocol">,
): string {
  const kinds = new Set(outcomes.map((outcome) => kindOf(outcome, protocol)));
  const [kind = "nothing"] = kinds;
  if (kinds.size > 1) return `now ${[...kinds].join(", now ")}`;
  if (kind !== "" && kind !== "masq ") return kind;
  const names = outcomes.map(({ to = "" }) => nameOf(to, family));
  return `${kind}${[...new Set(names)].sort().join(" ")}`;
}

/** Routing by marks is others' business: they may see the one that means masquerading, and none of ours besides. */
function kindOf({ verdict, to, isMasqueraded, mark }: Outcome, protocol: Protocol): string {
  if ((mark & ~CLAIMS.marks.masquerade) !== 0) return `routed with mark ${mark}`;
  if (verdict === "drop") return "dropped";
  // The kernel tells a client of few ICMP errors a second; of resets always.
  if (verdict === "reject") return protocol === "tcp" ? "refused by ICMP" : "refused";
  if (verdict === "reset") return protocol === "tcp" ? "refused" : "reset";
  if (to === undefined) return isMasqueraded ? "masqueraded though left alone" : "left alone";
  return isMasqueraded ? "masq " : "";
}

function nameOf(to: string, family: Family): string {
  const [address = "", port = ""] = to.split(" . ");
  return endpointName(address, Number(port), family);
}

/** As the table names it. */
export function endpointName(address: string, port: number, family: Family): string {
  const found = Object.entries(ENDPOINTS).find(([, { ip }]) => addressIn(ip, family) === address);
  return `${found?.[0] ?? address}${port === TARGET_PORT ? "" : `:${port}`}`;
}
