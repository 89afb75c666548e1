import { familyOf } from "#addr/ip";
import type { EndpointAddress, EndpointSubset, Endpoints } from "#kube/endpoints";
import type { Pod, Service } from "#kube/generated/types";
import { isDeleting, uidOf } from "#kube/owner";
import { resolvePort } from "../endpointslice/desired.ts";
import { isFinished, isReady, podIps } from "../pods.ts";
import { canonicalJson } from "../template.ts";

export const HEADLESS = "service.kubernetes.io/headless";
export const OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity";
const MANAGED_BY = "endpoints.kubernetes.io/managed-by";
const MANAGER = "endpoint-controller";
/** As many addresses as one Endpoints object may hold; clients that need more read slices. */
const MOST_ADDRESSES = 1000;

type EndpointsPort = NonNullable<EndpointSubset["ports"]>[number];

export interface DesiredSubsets {
  readonly subsets: readonly EndpointSubset[];
  readonly isTruncated: boolean;
}

/** What the Service's Endpoints should list: the pods with an address of its first family, grouped by the ports they answer on. */
export function desiredSubsets(service: Service, pods: readonly Pod[]): DesiredSubsets {
  const isEarly = service.spec?.publishNotReadyAddresses ?? false;
  const groups = new Map<
    string,
    { ports: EndpointsPort[]; ready: EndpointAddress[]; unready: EndpointAddress[] }
  >();
  for (const pod of pods) {
    if (isFinished(pod) || (isDeleting(pod) && !isEarly)) continue;
    const address = addressOf(service, pod);
    const ports = portsOf(service, pod);
    if (address === undefined || ports === undefined) continue;
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { ports, ready: [], unready: [] };
    (isEarly || isReady(pod) ? group.ready : group.unready).push(address);
    groups.set(key, group);
  }
  const subsets = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, ready, unready }]) => subset(ready.sort(byIp), unready.sort(byIp), ports));
  return truncate(subsets);
}

/** The labels of the Service's Endpoints: its own, and what tells who keeps them. */
export function endpointsLabels({ metadata, spec }: Service): Record<string, string> {
  const { [HEADLESS]: _, ...own } = metadata.labels ?? {};
  const isHeadless = !spec?.clusterIP || spec.clusterIP === "None";
  return { ...own, [MANAGED_BY]: MANAGER, ...(isHeadless ? { [HEADLESS]: "" } : {}) };
}

export function isManaged({ metadata }: Endpoints): boolean {
  return metadata.labels?.[MANAGED_BY] === MANAGER;
}

/** Whether two lists of subsets say the same, whatever the API left out of one of them. */
export function sameSubsets(a: Endpoints["subsets"], b: Endpoints["subsets"]): boolean {
  return canonicalJson(a ?? []) === canonicalJson(b ?? []);
}

/** Every address counts, ready ones first; each subset gives up its share of what is too much. */
export function truncate(subsets: readonly EndpointSubset[]): DesiredSubsets {
  const ready = subsets.reduce((sum, { addresses = [] }) => sum + addresses.length, 0);
  const unready = subsets.reduce((sum, { notReadyAddresses = [] }) => sum + notReadyAddresses.length, 0);
  if (ready + unready <= MOST_ADDRESSES) return { subsets, isTruncated: false };
  const keepReady = shares(
    subsets.map(({ addresses = [] }) => addresses.length),
    MOST_ADDRESSES,
  );
  const left = Math.max(0, MOST_ADDRESSES - ready);
  const keepUnready = shares(
    subsets.map(({ notReadyAddresses = [] }) => notReadyAddresses.length),
    left,
  );
  const kept = subsets.map(({ addresses = [], notReadyAddresses = [], ports = [] }, i) =>
    subset(addresses.slice(0, keepReady[i]), notReadyAddresses.slice(0, keepUnready[i]), ports),
  );
  return {
    subsets: kept.filter(({ addresses, notReadyAddresses }) => addresses ?? notReadyAddresses),
    isTruncated: true,
  };
}

/** How much of each count remains when all together may be `most`: in proportion, and nothing is lost to rounding. */
function shares(counts: readonly number[], most: number): readonly number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= most) return counts;
  const kept = counts.map((count) => Math.floor((count * most) / total));
  let left = most - kept.reduce((sum, count) => sum + count, 0);
  return kept.map((count, i) => {
    if (left === 0 || count === counts[i]) return count;
    left--;
    return count + 1;
  });
}

function addressOf(service: Service, pod: Pod): EndpointAddress | undefined {
  const family = service.spec?.ipFamilies?.[0] ?? `IPv${familyOf(service.spec?.clusterIP ?? "")}`;
  const ip = podIps(pod).find((address) => `IPv${familyOf(address)}` === family);
  if (ip === undefined) return undefined;
  const { namespace = "", name } = pod.metadata;
  const isNamed = pod.spec?.hostname && pod.spec.subdomain === service.metadata.name;
  return {
    ip,
    ...(isNamed && namespace === service.metadata.namespace ? { hostname: pod.spec?.hostname } : {}),
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: "Pod", namespace, name, uid: uidOf(pod) },
  };
}

/** Undefined when the pod has none of the Service's ports: it is then no endpoint. A headless Service may have no ports at all. */
function portsOf(service: Service, pod: Pod): EndpointsPort[] | undefined {
  const wanted = service.spec?.ports ?? [];
  if (wanted.length === 0) return service.spec?.clusterIP === "None" ? [] : undefined;
  const ports = wanted
    .flatMap((port) => resolvePort(port, pod))
    .map(({ name, port = 0, protocol, appProtocol }) => ({
      ...(name ? { name } : {}),
      port,
      ...(protocol ? { protocol } : {}),
      ...(appProtocol ? { appProtocol } : {}),
    }));
  return ports.length === 0
    ? undefined
    : ports.sort((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
}

function subset(
  addresses: readonly EndpointAddress[],
  notReadyAddresses: readonly EndpointAddress[],
  ports: readonly EndpointsPort[],
): EndpointSubset {
  return {
    ...(addresses.length > 0 ? { addresses } : {}),
    ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  };
}

function byIp(a: EndpointAddress, b: EndpointAddress): number {
  return a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : (a.targetRef?.name ?? "") < (b.targetRef?.name ?? "") ? -1 : 1;
}
