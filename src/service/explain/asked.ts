/** One connection that somebody asks about: from an address, to an address and port. */
import { containsIp } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { familyOf, formatEndpoint, type Ip } from "#addr/ip";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import { desiredRoutes } from "../desired.ts";
import type { Place, Route, ServiceConfig } from "../model.ts";
import { wayOf } from "./cases.ts";
import type { ClientKind } from "./model.ts";
import { whyNotRouted } from "./notes.ts";
import { type Client, clientOf } from "./places.ts";
import { SENTENCES } from "./sentences.ts";
import { type Verdict, verdictOn } from "./verdict.ts";

/** What is left out is free. */
export interface AskedConnection {
  readonly from?: Ip;
  readonly to?: Ip;
  readonly port?: number;
}

export interface AskedInput {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly config: ServiceConfig;
  readonly clientAddress: "preserve" | "masquerade";
  /** This node comes first. */
  readonly places: readonly Place[];
}

const MOST_TOLD = 4;
const MOST_LISTED = 4;

/** What becomes of it, a sentence for each way that fits: the first few. Without `from` the client is taken to be outside. */
export function tellConnection(asked: AskedConnection, input: AskedInput): readonly string[] {
  const client = clientOfAsked(asked, input);
  const entry = entryOf(asked, client, input);
  if (entry === undefined) return ["This node does not know itself yet."];
  const routes = routesAt(entry, input);
  const fitting = routes.filter(({ frontend }) => fits(frontend, asked));
  if (fitting.length === 0) return [noWay(asked, input, routes)];
  const told = fitting.map((route) => tellRoute(route, asked, { ...input, client, entry }));
  return [...new Set(told)].slice(0, MOST_TOLD);
}

function fits({ ip, port }: Route["frontend"], { from, to, port: wanted }: AskedConnection): boolean {
  const family = to ?? from;
  return (
    (to === undefined || ip === to) &&
    (wanted === undefined || port === wanted) &&
    (family === undefined || familyOf(ip) === familyOf(family))
  );
}

function routesAt(place: Place, { service, slices }: AskedInput): readonly Route[] {
  return FAMILIES.flatMap((family) => desiredRoutes(service, slices, { family, place })?.routes ?? []);
}

function clientOfAsked({ from }: AskedConnection, { nodes, config, places }: AskedInput): Client {
  const [here] = places;
  return from === undefined || here === undefined
    ? { kind: "outside" }
    : clientOf(from, { nodes, config, at: here });
}

/** A client inside the cluster is translated by its own node; one outside by the node that has the address, else by this one. */
function entryOf({ to }: AskedConnection, client: Client, { places }: AskedInput): Place | undefined {
  const owner = places.find(({ localIps }) => to !== undefined && localIps.includes(to));
  const home = places.find(({ nodeName }) => nodeName === client.node);
  return owner ?? home ?? places[0];
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
  const who = asked.from === undefined ? "A client outside" : `${asked.from} (${clientText(at.client)})`;
  const where = `${who} to ${formatEndpoint(frontend.ip, frontend.port)}/${frontend.protocol.toUpperCase()} at ${entry.nodeName}`;
  const { from } = asked;
  if (from !== undefined && sources && !sources.some((cidr) => containsIp(cidr, from)))
    return `${where}: dropped. loadBalancerSourceRanges (${sources.join(", ")}) do not hold it.`;
  const verdict = verdictOn(route, { ...at, way, client });
  return `${where}: ${outcomeText(verdict, at)} ${SENTENCES[verdict.reason].why}${remedyText(verdict)}${itselfText(verdict, from)}`;
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
  if (outcome !== "reaches") return `${outcome}.`;
  const shown = backends.slice(0, MOST_LISTED).map(({ ip, port }) => formatEndpoint(ip, port));
  const more = backends.length > MOST_LISTED ? ` or ${backends.length - MOST_LISTED} more` : "";
  const isMasqueradedBefore =
    client.kind === "pod" && client.node !== undefined && client.node !== entry.nodeName;
  const own = isMasqueradedBefore ? `an address of node ${client.node}` : "the client's own address";
  const seen = sees === "client" ? own : `an address of node ${entry.nodeName}`;
  return `${shown.join(", ")}${more} sees ${seen}.`;
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

function noWay({ to, port }: AskedConnection, input: AskedInput, routes: readonly Route[]): string {
  const { service, places } = input;
  const name = `${service.metadata.namespace}/${service.metadata.name}`;
  const notRouted = whyNotRouted(service);
  if (notRouted !== undefined) return `${name} is not routed. ${notRouted}`;
  if (to === undefined || routes.some(({ frontend }) => frontend.ip === to))
    return `${name} has no port ${port} there; it has ${listed(routes.map(({ frontend }) => String(frontend.port)))}.`;
  const ingress = (service.status?.loadBalancer?.ingress ?? []).find(({ ip }) => ip === to);
  if (ingress?.ipMode === "Proxy")
    return `${to} is a load balancer's that wants to see every packet (ipMode Proxy): nothing is translated, and pods see what it makes of the connection.`;
  const owner = places.find(({ localIps }) => localIps.includes(to))?.nodeName;
  const isServiceLb = service.spec?.type === "LoadBalancer" && service.spec.loadBalancerClass === undefined;
  if (owner !== undefined && isServiceLb)
    return `${to} is an address of ${owner}, but not one that ${name} is reached by: a svclb pod, where one runs there, takes port ${port ?? "of the Service"}, and the pods see that pod's address.`;
  return `${to} is no address of ${name}; it has ${listed(routes.map(({ frontend }) => frontend.ip))}.`;
}

function listed(texts: readonly string[]): string {
  const all = [...new Set(texts)];
  const shown = all.slice(0, MOST_TOLD * 2).join(", ");
  return all.length === 0 ? "none" : all.length > MOST_TOLD * 2 ? `${shown} and more` : shown;
}
