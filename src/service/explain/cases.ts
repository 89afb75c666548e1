/** Every kind of client, by every way in, at every node: what becomes of it. What is the same at several nodes is told once. */
import type { Family } from "#addr/family";
import { familyOf, formatEndpoint, isLoopback } from "#addr/ip";
import type { EndpointSlice } from "#kube/generated/types";
import { type Place, PROTOCOLS, type Route } from "../model.ts";
import { type Case, CLIENTS, type ClientKind, type WayKind } from "./model.ts";
import { type RoutedObjects, routesAt } from "./routes.ts";
import { SENTENCES } from "./sentences.ts";
import { verdictOn } from "./verdict.ts";

/** Of long lists, so many are told. */
const MOST_LISTED = 8;
/** Nodes differ in what they hold and in their zone: so many kinds of node are looked at. */
const MOST_KINDS = 64;

export interface CasesInput extends RoutedObjects {
  readonly clientAddress: "preserve" | "masquerade";
  readonly places: readonly Place[];
}

export function casesOf(input: CasesInput): readonly Case[] {
  const groups = new Map<string, Group>();
  for (const kind of kindsOf(input).slice(0, MOST_KINDS))
    for (const route of routesAt(kind.place, input)) putRoute(groups, route, { ...input, kind });
  return [...groups.values()].map(caseOf).sort(byClientAndWay);
}

/** Nodes at which the same happens, by the first of them. */
interface NodeKind {
  readonly place: Place;
  readonly nodes: string[];
}

/** This node, which comes first, is of its own kind: its addresses are the kernel's and not those told of it. */
function kindsOf({ service, slices, places }: CasesInput): readonly NodeKind[] {
  const holding = holdersOf(slices);
  const kinds = new Map<string, NodeKind>();
  for (const [i, place] of places.entries()) {
    const isListed = (service.status?.loadBalancer?.ingress ?? []).some(({ ip }) =>
      place.nodeIps.some((own) => own === ip),
    );
    const held = [...(holding.get(place.nodeName) ?? [])].sort();
    const key = JSON.stringify([i === 0, held, place.zone, isListed]);
    const kind = kinds.get(key) ?? { place, nodes: [] };
    kind.nodes.push(place.nodeName);
    kinds.set(key, kind);
  }
  return [...kinds.values()];
}

/** By node, what of endpoints it has: `ready`, `leaving`, and hints for it by name. */
function holdersOf(slices: readonly EndpointSlice[]): ReadonlyMap<string, ReadonlySet<string>> {
  const holding = new Map<string, Set<string>>();
  const put = (node: string, what: string) => {
    const held = holding.get(node) ?? new Set();
    holding.set(node, held.add(what));
  };
  for (const { addressType, endpoints } of slices)
    for (const { nodeName, conditions, hints } of endpoints ?? []) {
      for (const { name } of hints?.forNodes ?? []) put(name, `${addressType} hinted`);
      if (nodeName === undefined) continue;
      if (conditions?.ready !== false) put(nodeName, `${addressType} ready`);
      else if (conditions.terminating && conditions.serving) put(nodeName, `${addressType} leaving`);
    }
  return holding;
}

interface Group
  extends Omit<Case, "entries" | "families" | "nodes" | "nodeCount" | "endpoints" | "endpointCount"> {
  readonly entries: Set<string>;
  readonly families: Set<Family>;
  readonly nodes: Set<string>;
  readonly endpoints: Set<string>;
}

function putRoute(groups: Map<string, Group>, route: Route, at: CasesInput & { kind: NodeKind }): void {
  const way = wayOf(route, at);
  for (const client of clientsOf(way, route.frontend)) {
    const { outcome, sees, reason, backends } = verdictOn(route, { ...at, way, client });
    const sources = route.sources ?? [];
    const key = JSON.stringify([client, way, outcome, sees, reason, sources]);
    const group: Group = groups.get(key) ?? {
      ...{ client, way, outcome, sees, reason, sources, ...SENTENCES[reason] },
      ...{ entries: new Set(), families: new Set(), nodes: new Set(), endpoints: new Set() },
    };
    groups.set(key, group);
    group.entries.add(entryText(route, way));
    group.families.add(familyOf(route.frontend.ip));
    for (const node of at.kind.nodes) group.nodes.add(node);
    for (const { ip, port } of backends) group.endpoints.add(formatEndpoint(ip, port));
  }
}

/** Other nodes translate all addresses of services themselves; only this node's own they leave to it, and loopback is its own alone. */
function clientsOf(way: WayKind, { ip }: Route["frontend"]): readonly ClientKind[] {
  if (isLoopback(ip)) return ["this-node"];
  return way === "node-port" ? CLIENTS : CLIENTS.filter((client) => client !== "other-node");
}

export function wayOf(route: Route, { service }: Pick<CasesInput, "service">): WayKind {
  if (route.isClusterIp) return "cluster-ip";
  const { ip, port, protocol } = route.frontend;
  const { externalIPs = [], ports = [] } = service.spec ?? {};
  const isPort = ports.some((each) => each.port === port && protocolName(each.protocol) === protocol);
  if (isPort && externalIPs.some((text) => text === ip)) return "external-ip";
  const isNodePort = ports.some((each) => each.nodePort === port && protocolName(each.protocol) === protocol);
  return isNodePort && !isPort ? "node-port" : "load-balancer";
}

function protocolName(text: string | undefined): string {
  const name = (text ?? "TCP").toLowerCase();
  return name in PROTOCOLS ? name : "";
}

function entryText({ frontend: { ip, port, protocol } }: Route, way: WayKind): string {
  const at = way === "node-port" && !isLoopback(ip) ? `:${port}` : formatEndpoint(ip, port);
  return `${at}/${protocol.toUpperCase()}`;
}

function caseOf({ entries, families, nodes, endpoints, ...rest }: Group): Case {
  return {
    ...rest,
    families: [...families].sort(),
    entries: [...entries].sort().slice(0, MOST_LISTED),
    nodes: [...nodes].slice(0, MOST_LISTED),
    nodeCount: nodes.size,
    endpoints: [...endpoints].sort().slice(0, MOST_LISTED),
    endpointCount: endpoints.size,
  };
}

const WAY_ORDER: readonly WayKind[] = ["load-balancer", "external-ip", "node-port", "cluster-ip"];

function byClientAndWay(a: Case, b: Case): number {
  return (
    CLIENTS.indexOf(a.client) - CLIENTS.indexOf(b.client) ||
    WAY_ORDER.indexOf(a.way) - WAY_ORDER.indexOf(b.way) ||
    a.reason.localeCompare(b.reason)
  );
}
