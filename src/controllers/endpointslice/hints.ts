import type { Endpoint, EndpointSlice, Service } from "#kube/generated/types";
import type { PortGroup } from "./desired.ts";
import { endpointKey } from "./plan.ts";
import type { ZoneShares } from "./topology.ts";

/** How much more than its fair share of traffic an endpoint may get. */
const OVERLOAD = 1.2;
const MODE = "service.kubernetes.io/topology-mode";
const OLD_MODE = "service.kubernetes.io/topology-aware-hints";

export interface Hinted {
  readonly groups: readonly PortGroup[];
  /** Why there are no hints. */
  readonly problem: string | undefined;
}

/** Whether endpoints are to be shared out among zones in proportion to what the zones are worth. */
export function isAuto({ metadata }: Service): boolean {
  const mode = metadata.annotations?.[OLD_MODE] ?? metadata.annotations?.[MODE];
  return mode === "Auto" || mode === "auto";
}

/** The groups with each ready endpoint meant for one zone, so that every zone has about its share and as little as possible moves. */
export function withAutoHints(
  groups: readonly PortGroup[],
  standing: readonly EndpointSlice[],
  topology: ZoneShares,
): Hinted {
  const bare = groups.map(({ ports, endpoints }) => ({ ports, endpoints: endpoints.map(withoutHints) }));
  if (topology.kind === "unknown") return { groups: bare, problem: topology.why };
  const ready = bare.flatMap(({ endpoints }) => endpoints.filter(({ conditions }) => conditions?.ready));
  const problem = whyNot(ready, topology.shares);
  if (problem !== undefined) return { groups: bare, problem };
  const zones = share(ready, topology.shares, hintsOf(standing));
  const hint = (endpoint: Endpoint): Endpoint => {
    const zone = zones.get(endpoint);
    return zone === undefined ? endpoint : { ...endpoint, hints: { forZones: [{ name: zone }] } };
  };
  return { groups: bare.map(({ ports, endpoints }) => ({ ports, endpoints: endpoints.map(hint) })), problem };
}

function whyNot(ready: readonly Endpoint[], shares: ReadonlyMap<string, number>): string | undefined {
  const count = `${ready.length} endpoints, ${shares.size} zones`;
  if (ready.length < shares.size) return `Insufficient number of endpoints (${count})`;
  const least = [...shares.values()].reduce(
    (sum, part) => sum + Math.ceil((part * ready.length) / OVERLOAD),
    0,
  );
  if (least > ready.length)
    return `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (${count})`;
  if (ready.some(({ zone }) => !zone)) return "One or more endpoints do not have a zone specified";
  return undefined;
}

/** The zone each endpoint serves: the one it served, else its own, until some zone has too much and another too little. */
function share(
  ready: readonly Endpoint[],
  shares: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, string>,
): ReadonlyMap<Endpoint, string> {
  const serving = new Map<string, Endpoint[]>([...shares.keys()].map((zone) => [zone, []]));
  for (const endpoint of ready) {
    const old = before.get(endpointKey(endpoint));
    const zone = old !== undefined && shares.has(old) ? old : (endpoint.zone ?? "");
    const peers = serving.get(zone);
    if (peers === undefined) serving.set(zone, [endpoint]);
    else peers.push(endpoint);
  }
  const gap = (zone: string) => (serving.get(zone)?.length ?? 0) - (shares.get(zone) ?? 0) * ready.length;
  for (;;) {
    const zones = [...serving.keys()].sort((a, b) => gap(b) - gap(a));
    const giver = zones[0] ?? "";
    const receiver = zones.at(-1) ?? "";
    const [surplus, want] = [gap(giver), -gap(receiver)];
    if ((surplus < 1 && want < 1) || surplus < 0.5 || want < 0.5) break;
    const given = take(serving.get(giver) ?? [], giver, receiver);
    if (given === undefined) break;
    serving.get(receiver)?.push(given);
  }
  return new Map(
    [...serving].flatMap(([zone, endpoints]) => endpoints.map((endpoint) => [endpoint, zone] as const)),
  );
}

/** Takes out whom a zone gives away: one that goes home, else one that is not at home anyway, else any. */
function take(endpoints: Endpoint[], giver: string, receiver: string): Endpoint | undefined {
  const home = endpoints.findIndex(({ zone }) => zone === receiver);
  const stray = home < 0 ? endpoints.findIndex(({ zone }) => zone !== giver) : home;
  return endpoints.splice(stray, 1)[0];
}

function hintsOf(standing: readonly EndpointSlice[]): ReadonlyMap<string, string> {
  const zones = new Map<string, string>();
  for (const { endpoints } of standing)
    for (const endpoint of endpoints ?? []) {
      const zone = endpoint.hints?.forZones?.[0]?.name;
      if (zone !== undefined) zones.set(endpointKey(endpoint), zone);
    }
  return zones;
}

function withoutHints({ hints: _, ...endpoint }: Endpoint): Endpoint {
  return endpoint;
}
