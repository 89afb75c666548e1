/** Of all cases, those that somebody asks about. */
import { containsIp } from "#addr/cidr";
import { familyOf, type Ip } from "#addr/ip";
import type { AskedConnection, AskedInput } from "./asked-input.ts";
import { clientOfAsked } from "./asked-input.ts";
import type { Case } from "./model.ts";

/** The cases of such clients, by ways that fit; none where an address is named, for that is told by itself. */
export function narrowed(
  cases: readonly Case[],
  asked: AskedConnection,
  input: Pick<AskedInput, "nodes" | "config" | "places">,
): readonly Case[] {
  const { from, to, port } = asked;
  if (to !== undefined) return [];
  const kind = from === undefined ? undefined : clientOfAsked(asked, input).kind;
  return cases
    .filter(({ client }) => kind === undefined || client === kind)
    .filter(({ families }) => from === undefined || families.includes(familyOf(from)))
    .map((each) => ({ ...each, entries: each.entries.filter((entry) => isEntryOf(entry, { from, port })) }))
    .filter(({ entries }) => entries.length > 0)
    .map((each) => (from === undefined ? each : ofSource(each, from)));
}

/** Of the family of the client, and that port. */
function isEntryOf(
  entry: string,
  { from, port }: { from: Ip | undefined; port: number | undefined },
): boolean {
  const isFamily =
    from === undefined || entry.startsWith(":") || entry.startsWith("[") === from.includes(":");
  return isFamily && (port === undefined || entry.includes(`:${port}/`));
}

function ofSource(told: Case, from: Ip): Case {
  if (told.sources.length === 0 || told.sources.some((cidr) => containsIp(cidr, from))) return told;
  const why = `loadBalancerSourceRanges do not hold ${from}.`;
  return { ...told, outcome: "dropped", sees: "nothing", why, remedy: "", endpoints: [], endpointCount: 0 };
}
