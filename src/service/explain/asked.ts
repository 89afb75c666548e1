/** One connection that somebody asks about: from an address, to an address and port. */
import { containsIp } from "#addr/cidr";
import { familyOf, formatEndpoint, type Ip } from "#addr/ip";
import type { Place, Route } from "../model.ts";
import { type AskedConnection, type AskedInput, clientOfAsked } from "./asked-input.ts";
import { wayOf } from "./cases.ts";
import type { ClientKind } from "./model.ts";
import { listed, noWay } from "./no-way.ts";
import type { Client } from "./places.ts";
import { routesAt } from "./routes.ts";
import { SENTENCES } from "./sentences.ts";
import { type Verdict, verdictOn } from "./verdict.ts";

const MOST_TOLD = 4;
const MOST_LISTED = 4;

/** What becomes of it. With an address that it goes to, a sentence for each port that fits: the first few; without `from` the client
 *  is then taken to be outside. With none, who the client is: `narrowed` has the rest. */
export function tellConnection(asked: AskedConnection, input: AskedInput): readonly string[] {
  const client = clientOfAsked(asked, input);
  if (asked.to === undefined)
    return asked.from === undefined
      ? []
      : [`${asked.from} is ${clientText(client)}.${noFamily(asked.from, input)}`];
  const { entry, routes } = entryOf(asked, client, input);
  if (entry === undefined) return ["This node does not know itself yet."];
  if (routes.length === 0) return [noWay(asked, input, routesAt(entry, input))];
  const told = routes.map((route) => tellRoute(route, asked, { ...input, client, entry }));
  return [...new Set(told)].slice(0, MOST_TOLD);
}

function noFamily(from: Ip, input: AskedInput): string {
  const { service, places } = input;
  const family = familyOf(from);
  const routes = places.slice(0, 1).flatMap((here) => routesAt(here, input));
  if (routes.length === 0 || routes.some(({ frontend }) => familyOf(frontend.ip) === family)) return "";
  return ` ${service.metadata.namespace}/${service.metadata.name} has no IPv${family} address.`;
}

function fits({ ip, port }: Route["frontend"], { to, port: wanted }: AskedConnection): boolean {
  return ip === to && (wanted === undefined || port === wanted);
}

/** Where it is translated, and by what: a client inside the cluster by its own node, if that knows the address; else by the node that
 *  has the address, else by this one. */
function entryOf(
  asked: AskedConnection,
  client: Client,
  input: AskedInput,
): { readonly entry: Place | undefined; readonly routes: readonly Route[] } {
  const { places } = input;
  const { to } = asked;
  const home = places.find(({ nodeName }) => nodeName === client.node);
  const owner = places.find(({ localIps }) => to !== undefined && localIps.includes(to));
  const fitting = (place: Place) => routesAt(place, input).filter(({ frontend }) => fits(frontend, asked));
  const atHome = home ? fitting(home) : [];
  if (atHome.length > 0) return { entry: home, routes: atHome };
  const entry = owner ?? home ?? places[0];
  return { entry, routes: entry ? fitting(entry) : [] };
}

interface Entering extends AskedInput {
  readonly client: Client;
  readonly entry: Place;
}

function tellRoute(route: Route, asked: AskedConnection, at: Entering): string {
  const { entry } = at;
  const client = kindAt(entry, at.client);
  const way = wayOf(route, at);
  const { frontend, sources } = route;
  const who = whoText(asked.from, at.client);
  const where = `${who} to ${formatEndpoint(frontend.ip, frontend.port)}/${frontend.protocol.toUpperCase()} at ${entry.nodeName}`;
  const { from } = asked;
  if (from !== undefined && sources && !sources.some((cidr) => containsIp(cidr, from)))
    return `${where}: dropped. loadBalancerSourceRanges (${listed(at.service.spec?.loadBalancerSourceRanges ?? [])}) do not hold it.`;
  const verdict = verdictOn(route, { ...at, way, client });
  return `${where}${outcomeText(verdict, at)} ${SENTENCES[verdict.reason].why}${remedyText(verdict)}${itselfText(verdict, from)}`;
}

function whoText(from: Ip | undefined, client: Client): string {
  if (from !== undefined) return `${from} (${clientText(client)})`;
  return client.kind === "outside" ? "A client outside" : clientText(client);
}

/** Seen from the node where the packet enters: a pod of another node has been masqueraded there, unless that is its own. */
function kindAt({ nodeName }: Place, { kind, node }: Client): ClientKind {
  if (kind === "pod") return node === undefined || node === nodeName ? "pod" : "other-node";
  if (kind === "outside") return "outside";
  return node === nodeName ? "this-node" : "other-node";
}

function clientText({ kind, node }: Client): string {
  switch (kind) {
    case "pod":
      return node === undefined ? "a pod" : `a pod of ${node}`;
    case "outside":
      return "outside the cluster";
    case "this-node":
    case "other-node":
      return `node ${node ?? ""}`.trim();
    default:
      return kind satisfies never;
  }
}

function outcomeText({ outcome, sees, backends }: Verdict, { client, entry }: Entering): string {
  if (outcome !== "reaches") return `: ${outcome}.`;
  const shown = backends.slice(0, MOST_LISTED).map(({ ip, port }) => formatEndpoint(ip, port));
  const more = backends.length > MOST_LISTED ? ` or ${backends.length - MOST_LISTED} more` : "";
  const isMasqueradedBefore =
    client.kind === "pod" && client.node !== undefined && client.node !== entry.nodeName;
  const own = isMasqueradedBefore ? `an address of node ${client.node}` : "the client's own address";
  const seen = sees === "client" ? own : `an address of node ${entry.nodeName}`;
  return ` leads to ${shown.join(" or ")}${more}, which sees ${seen}.`;
}

function remedyText({ reason }: Verdict): string {
  const { remedy } = SENTENCES[reason];
  return remedy === "" ? "" : ` To have the client's: ${remedy}.`;
}

function itselfText({ backends }: Verdict, from: Ip | undefined): string {
  return backends.some(({ ip }) => ip === from)
    ? " Where it is led to itself, it sees its node's address, or it would answer itself directly."
    : "";
}
