/** One Service and its EndpointSlices to the routes of one family. Pure, and read from what is, never from what happened. */
import { addressOf, type Cidr, containsCidr, containsIp, hostCidr, parseCidr } from "#addr/cidr";
import type { Family } from "#addr/family";
import { familyOf, type Ip, isIp, parseIp } from "#addr/ip";
import type { EndpointSlice, Service, ServicePort, ServiceSpec } from "#kube/generated/types";
import { type BackendSets, chooseSets, portBackends } from "./endpoints.ts";
import {
  type Affinity,
  type Backend,
  type Frontend,
  frontendKey,
  type Place,
  PROTOCOLS,
  type Protocol,
  type Route,
  type ServiceRoutes,
  type Target,
} from "./model.ts";
import type { Problem } from "./problems.ts";
import { type ReservedAt, withoutReserved } from "./reserved.ts";

/** Objects that belong to another proxy, or are headless by label. */
const LABELS_OF_OTHERS = ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"];
const DEFAULT_AFFINITY_SECONDS = 10_800;
/** `masquerade`: policy Cluster hides clients always, as kube-proxy does. */
export const CLIENT_ADDRESS = "service.twill.io/client-address";
const NAMED_AT_MOST = 3;

export function isOurs(object: {
  metadata: { labels?: Readonly<Record<string, string>> | undefined };
}): boolean {
  const labels = object.metadata.labels ?? {};
  return LABELS_OF_OTHERS.every((label) => labels[label] === undefined);
}

export interface RoutedAt extends ReservedAt {
  readonly family: Family;
}

/** @returns undefined for a service that has no ClusterIP of this family, or is not routed at all */
export function desiredRoutes(
  service: Service,
  slices: readonly EndpointSlice[],
  at: RoutedAt,
): ServiceRoutes | undefined {
  const { spec } = service;
  if (!spec || spec.type === "ExternalName" || !isOurs(service)) return undefined;
  const clusterIp = addressesOf(clusterIps(spec), at.family)[0];
  if (clusterIp === undefined) return undefined;
  const ours = slices.filter(isOurs);
  const outside = outsideAddresses(service, spec, at);
  const clientAddress = readClientAddress(service);
  const routes: Route[] = [];
  const ignored = new Set<Ip>();
  const udpAnswerers = new Map<Frontend, ReadonlySet<string>>();
  for (const port of spec.ports ?? []) {
    const protocol = protocolOf(port);
    if (protocol === undefined) continue;
    const backends = portBackends(ours, { name: port.name ?? "", protocol }, at);
    for (const ip of backends.ignored) ignored.add(ip);
    const sets = chooseSets(backends.all, at.place);
    const hidesClients = clientAddress.value === "masquerade";
    const { place } = at;
    const own = portRoutes({ service, spec, port, protocol, clusterIp, sets, outside, place, hidesClients });
    routes.push(...own);
    if (protocol === "udp" && backends.serving.size > 0)
      for (const { frontend } of own) udpAnswerers.set(frontend, backends.serving);
  }
  const { allowed, problems } = withoutReserved(firstOfEach(routes), at);
  problems.push(...clientAddress.problems, ...ignoredEndpoints(ignored));
  return { clusterIp, routes: allowed, udpAnswerers, problems };
}

/** A load balancer or external address may repeat the ClusterIP or a node's NodePort: the first one counts. */
function firstOfEach(routes: readonly Route[]): Route[] {
  const seen = new Set<string>();
  return routes.filter(({ frontend }) => {
    const key = frontendKey(frontend);
    return !seen.has(key) && seen.add(key);
  });
}

interface PortInput {
  readonly service: Service;
  readonly spec: ServiceSpec;
  readonly port: ServicePort;
  readonly protocol: Protocol;
  readonly clusterIp: Ip;
  readonly sets: BackendSets;
  readonly outside: readonly OutsideAddress[];
  readonly place: Place;
  /** Even where an endpoint of this node could see them. */
  readonly hidesClients: boolean;
}

/** An address clients from outside use, besides NodePorts. */
interface OutsideAddress {
  readonly ip: Ip;
  readonly sources?: readonly Cidr[];
}

function portRoutes(input: PortInput): Route[] {
  const { spec, port, protocol, clusterIp, sets, outside, place } = input;
  const affinity = affinityOf(input);
  const isLocalInside = spec.internalTrafficPolicy === "Local";
  const inside: Route = {
    frontend: { ip: clusterIp, protocol, port: port.port },
    isClusterIp: true,
    entry: "inside",
    target: isLocalInside
      ? targetOf(sets.local, sets, "drop", affinity?.local)
      : targetOf(sets.cluster, sets, "reject", affinity?.cluster),
  };
  const routes = [inside];
  for (const ip of port.nodePort ? nodePortIps(place, familyOf(clusterIp)) : [])
    routes.push(outsideRoute({ ip, protocol, port: port.nodePort ?? 0 }, input, affinity));
  for (const ip of port.nodePort ? loopbackIps(place, familyOf(clusterIp)) : []) {
    const frontend = { ip, protocol, port: port.nodePort ?? 0 };
    const target = targetOf(sets.cluster, sets, "reject", affinity?.cluster);
    // Nobody but this node comes there, whatever the policy, and no answer finds the way back to that address.
    routes.push({ frontend, isClusterIp: false, entry: "outside", target });
  }
  for (const { ip, sources } of outside)
    routes.push(outsideRoute({ ip, protocol, port: port.port }, input, affinity, sources));
  return routes;
}

/** With policy Local, pods and this node still reach every endpoint: only strangers are led to the local ones. With policy
 *  Cluster they are too, as long as one is ready: there it can see who they are. */
function outsideRoute(
  frontend: Frontend,
  { spec, sets, hidesClients }: PortInput,
  affinity: Affinities | undefined,
  sources?: readonly Cidr[],
): Route {
  const cluster = targetOf(sets.cluster, sets, "reject", affinity?.cluster);
  const common = { frontend, isClusterIp: false, ...(sources === undefined ? {} : { sources }) };
  if (spec.externalTrafficPolicy !== "Local") {
    const route: Route = { ...common, entry: "outside", target: cluster };
    const near = hidesClients ? [] : sets.local.filter(({ isReady }) => isReady);
    const nearTarget = targetOf(near, sets, "drop", affinity?.local);
    return nearTarget.kind === "backends" ? { ...route, nearTarget } : route;
  }
  const local = targetOf(sets.local, sets, "drop", affinity?.local);
  if (local.kind === "reject") return { ...common, entry: "inside", target: cluster };
  return { ...common, entry: "inside", target: cluster, localTarget: local };
}

function targetOf(
  backends: readonly Backend[],
  { hasAny }: BackendSets,
  otherwise: "reject" | "drop",
  affinity: Affinity | undefined,
): Target {
  if (backends.length > 0) return { kind: "backends", backends, ...(affinity ? { affinity } : {}) };
  return { kind: hasAny ? otherwise : "reject" };
}

interface Affinities {
  readonly cluster: Affinity;
  readonly local: Affinity;
}

/** Clients are remembered by service port, whichever of its addresses they use. */
function affinityOf({ service, spec, port, protocol }: PortInput): Affinities | undefined {
  if (spec.sessionAffinity !== "ClientIP") return undefined;
  const timeoutSeconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS;
  const group = `${service.metadata.namespace}/${service.metadata.name}:${port.port}/${protocol}`;
  return {
    cluster: { group, timeoutSeconds },
    local: { group: `${group}/local`, timeoutSeconds },
  };
}

/** External addresses, and load balancer addresses this node may answer for. */
function outsideAddresses(
  service: Service,
  spec: ServiceSpec,
  { family, place }: RoutedAt,
): readonly OutsideAddress[] {
  const external = addressesOf(spec.externalIPs ?? [], family).map((ip) => ({ ip }));
  const ingress = spec.type === "LoadBalancer" ? (service.status?.loadBalancer?.ingress ?? []) : [];
  const given = addressesOf(
    ingress.flatMap(({ ip, ipMode }) => (ip !== undefined && (ipMode ?? "VIP") === "VIP" ? [ip] : [])),
    family,
  );
  const vips = withAliases(given, place).filter((vip) => !external.some(({ ip }) => ip === vip));
  const ranges = sourceRanges(spec, { family, place, vips });
  return [...external, ...vips.map((ip) => (ranges === undefined ? { ip } : { ip, sources: ranges }))];
}

/** A cloud may rewrite this node's external address to the internal one on the way here, so where one of the node's
 *  addresses balances load the others of its family do. */
function withAliases(vips: readonly Ip[], { nodeIps }: Place): readonly Ip[] {
  const own = vips.filter((vip) => nodeIps.includes(vip));
  const aliases = nodeIps.filter((ip) => own.some((vip) => familyOf(vip) === familyOf(ip)));
  return [...new Set([...vips, ...aliases])];
}

/** What a Service asks for its clients' addresses; what cannot be read counts as not said. */
export function readClientAddress({ metadata }: Service): {
  readonly value: "preserve" | "masquerade";
  readonly problems: readonly Problem[];
} {
  const value = metadata.annotations?.[CLIENT_ADDRESS] ?? "preserve";
  if (value === "preserve" || value === "masquerade") return { value, problems: [] };
  const message = `Annotation ${CLIENT_ADDRESS}: ${JSON.stringify(value.slice(0, 64))} is neither "preserve" nor "masquerade"; taken as "preserve"`;
  return { value: "preserve", problems: [{ reason: "BadAnnotation", message }] };
}

function ignoredEndpoints(ips: ReadonlySet<Ip>): readonly Problem[] {
  if (ips.size === 0) return [];
  const named = [...ips].sort().slice(0, NAMED_AT_MOST).join(", ");
  const more = ips.size > NAMED_AT_MOST ? ` and ${ips.size - NAMED_AT_MOST} more` : "";
  const message = `Endpoints that nothing can be sent to are left out: ${named}${more}`;
  return [{ reason: "EndpointIgnored", message }];
}

/** Ranges of this family, none inside another; undefined when anybody may come. Where this node may, its own load
 *  balancer addresses may too: that is what it is seen as when it calls them. */
function sourceRanges(
  spec: ServiceSpec,
  { family, place, vips }: { family: Family; place: Place; vips: readonly Ip[] },
): readonly Cidr[] | undefined {
  const ranges = (spec.loadBalancerSourceRanges ?? [])
    .flatMap(readRange)
    .filter((cidr) => familyOf(addressOf(cidr)) === family);
  if (ranges.length === 0) return undefined;
  const holdsNode = ranges.some((range) => place.nodeIps.some((ip) => containsIp(range, ip)));
  return outermost(holdsNode ? [...ranges, ...vips.map(hostCidr)] : ranges);
}

function readRange(text: string): Cidr[] {
  try {
    return [parseCidr(text.trim(), { hostBits: "clear" })];
  } catch {
    return [];
  }
}

/** The kernel refuses overlapping ranges, and networks overlap only by one holding the other. */
export function outermost(cidrs: readonly Cidr[]): Cidr[] {
  const unique = [...new Set(cidrs)];
  return unique.filter((cidr) => !unique.some((other) => other !== cidr && containsCidr(other, cidr))).sort();
}

function nodePortIps(place: Place, family: Family): readonly Ip[] {
  return place.nodePortIps.filter((ip) => familyOf(ip) === family);
}

function loopbackIps({ loopbackIps = [] }: Place, family: Family): readonly Ip[] {
  return loopbackIps.filter((ip) => familyOf(ip) === family);
}

function clusterIps({ clusterIP, clusterIPs }: ServiceSpec): readonly string[] {
  return clusterIPs && clusterIPs.length > 0 ? clusterIPs : clusterIP ? [clusterIP] : [];
}

function addressesOf(texts: readonly string[], family: Family): Ip[] {
  return [...new Set(texts.filter(isIp).map(parseIp))].filter((ip) => familyOf(ip) === family);
}

function protocolOf({ protocol }: ServicePort): Protocol | undefined {
  const name = (protocol ?? "TCP").toLowerCase();
  return Object.hasOwn(PROTOCOLS, name) ? (name as Protocol) : undefined;
}
