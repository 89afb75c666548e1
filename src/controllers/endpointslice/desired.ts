import { FAMILIES, type Family } from "#addr/family";
import { familyOf } from "#addr/ip";
import type { Endpoint, EndpointPort, Node, Pod, Service, ServicePort } from "#kube/generated/types";
import { isDeleting, objectReference } from "#kube/owner";
import { PODS } from "#kube/resources";
import { isFinished, isReady, podIps } from "../pods.ts";
import { canonicalJson } from "../template.ts";

export const ZONE = "topology.kubernetes.io/zone";
const ADDRESS_TYPE: Readonly<Record<Family, string>> = { 4: "IPv4", 6: "IPv6" };

/** Endpoints that answer on the same ports: they can share a slice. */
export interface PortGroup {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface DesiredEndpoints {
  /** Groups for each address type the Service has. */
  readonly byAddressType: ReadonlyMap<string, readonly PortGroup[]>;
  /** A pod was left out because its node is not known yet: look again. */
  readonly isPartial: boolean;
}

/** What the Service's slices should hold, given the pods its selector matches. */
export function desiredEndpoints(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
): DesiredEndpoints {
  const wanted = pods.filter((pod) => !isFinished(pod)).sort(byName);
  const isEarly = service.spec?.publishNotReadyAddresses ?? false;
  const known = wanted.filter(
    ({ spec }) => isEarly || !spec?.nodeName || nodeOf(spec.nodeName) !== undefined,
  );
  const families = FAMILIES.filter((family) => familiesOf(service).includes(ADDRESS_TYPE[family]));
  return {
    byAddressType: new Map(
      families.map((family) => [ADDRESS_TYPE[family], groupByPorts(service, known, family, nodeOf)] as const),
    ),
    isPartial: known.length < wanted.length,
  };
}

/** The same ports have the same key, whatever their order. */
export function portsKey(ports: readonly EndpointPort[] | undefined): string {
  return (ports ?? [])
    .map(({ name, port, protocol, appProtocol }) =>
      canonicalJson([name ?? "", port ?? 0, protocol ?? "TCP", appProtocol ?? ""]),
    )
    .sort()
    .join();
}

function groupByPorts(
  service: Service,
  pods: readonly Pod[],
  family: Family,
  nodeOf: (name: string) => Node | undefined,
): readonly PortGroup[] {
  const groups = new Map<string, { ports: readonly EndpointPort[]; endpoints: Endpoint[] }>();
  for (const pod of pods) {
    const ip = podIps(pod).find((address) => familyOf(address) === family);
    if (ip === undefined) continue;
    const ports = (service.spec?.ports ?? []).flatMap((port) => resolvePort(port, pod));
    // Within one Service nothing but the numbers can differ.
    const key = ports.map(({ name, port }) => `${name}=${port}`).join();
    const group = groups.get(key) ?? { ports, endpoints: [] };
    group.endpoints.push(endpointOf(service, pod, ip, nodeOf(pod.spec?.nodeName ?? "")));
    groups.set(key, group);
  }
  return [...groups.values()];
}

function endpointOf(service: Service, pod: Pod, ip: string, node: Node | undefined): Endpoint {
  const serving = isReady(pod);
  const terminating = isDeleting(pod);
  const ready = (service.spec?.publishNotReadyAddresses ?? false) || (serving && !terminating);
  const { namespace, name, uid } = pod.metadata;
  const { kind } = objectReference(PODS, pod);
  const zone = node?.metadata.labels?.[ZONE];
  const isNamed = pod.spec?.hostname && pod.spec.subdomain === service.metadata.name;
  const nodeName = pod.spec?.nodeName;
  return {
    addresses: [ip],
    conditions: { ready, serving, terminating },
    ...(isNamed && namespace === service.metadata.namespace ? { hostname: pod.spec?.hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    targetRef: { kind, name, namespace, uid },
    ...(zone ? { zone } : {}),
    ...(ready ? hintsOf(service, zone, nodeName) : {}),
  };
}

function hintsOf(
  { spec }: Service,
  zone: string | undefined,
  nodeName: string | undefined,
): Pick<Endpoint, "hints"> {
  const forZones = zone ? { forZones: [{ name: zone }] } : undefined;
  switch (spec?.trafficDistribution) {
    case "PreferClose":
    case "PreferSameZone":
      return forZones ? { hints: forZones } : {};
    case "PreferSameNode":
      return nodeName ? { hints: { ...forZones, forNodes: [{ name: nodeName }] } } : {};
    default:
      return {};
  }
}

/** The port of the pod that a Service port leads to; nothing when the pod has no port of that name. */
export function resolvePort(port: ServicePort, pod: Pod): readonly EndpointPort[] {
  const number = typeof port.targetPort === "string" ? namedPort(port, pod) : port.targetPort || port.port;
  if (number === undefined) return [];
  const { appProtocol } = port;
  const protocol = port.protocol ?? "TCP";
  return [{ name: port.name ?? "", port: number, protocol, ...(appProtocol ? { appProtocol } : {}) }];
}

function namedPort({ targetPort, protocol = "TCP" }: ServicePort, { spec }: Pod): number | undefined {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...(spec?.containers ?? []), ...sidecars]
    .flatMap(({ ports }) => ports ?? [])
    .find((port) => port.name === targetPort && (port.protocol ?? "TCP") === protocol)?.containerPort;
}

/** A Service that was never defaulted is of the family of its address, or else IPv4. */
function familiesOf({ spec }: Service): readonly string[] {
  if (spec?.ipFamilies && spec.ipFamilies.length > 0) return spec.ipFamilies;
  return [ADDRESS_TYPE[familyOf(spec?.clusterIP ?? "")]];
}

function byName(a: Pod, b: Pod): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
