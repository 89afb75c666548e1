import type { KubeClient } from "#kube/client";
import { type EventRecorder, openEventRecorder } from "#kube/event-recorder";
import type { EndpointSlice, Node, Pod, Service } from "#kube/generated/types";
import { type LiveInformer, openInformer } from "#kube/open-informer";
import { DAEMON_SETS, ENDPOINT_SLICES, NODES, PODS, SERVICES } from "#kube/resources";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { ServiceLbConfig } from "./model.ts";
import { ownerOf, serviceKeyOf } from "./names.ts";

export interface ServiceLbOptions {
  readonly client: KubeClient;
  readonly config: ServiceLbConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export type Watched = ReturnType<typeof openWatched>;
/** What each part of ServiceLB works with. */
export interface Means extends ServiceLbOptions {
  readonly watched: Watched;
  readonly events: Events;
}

/** What is K3s's own, and what is upstream's: told under the names that users know them by. */
export interface Events {
  readonly lb: EventRecorder;
  readonly service: EventRecorder;
}

export function openEvents(options: ServiceLbOptions): Events {
  const open = (component: string) => openEventRecorder(options.client, { ...options, component });
  return { lb: open("service-lb-controller"), service: open("service-controller") };
}

/** Index of DaemonSets and pods by the Service they belong to, and of endpoint slices by theirs. */
export const BY_SERVICE = "service";
/** Index of pods by their node. */
export const BY_NODE = "node";
const SERVICE_NAME = "kubernetes.io/service-name";

/** Opens the live copies that ServiceLB works from; of what is many only the part it reads is kept. DaemonSets and pods of all namespaces: an
 *  earlier one may have had its own elsewhere, and anybody's pod may hold a port. */
export function openWatched({ client, clock, log, signal }: ServiceLbOptions) {
  const common = { clock, log, signal };
  return {
    services: openInformer(client, SERVICES, { ...common, keep: keepService }),
    daemonSets: openInformer(client, DAEMON_SETS, {
      ...common,
      indexes: { [BY_SERVICE]: (daemonSet) => asList(ownerOf(daemonSet)) },
    }),
    pods: openInformer(client, PODS, {
      ...common,
      keep: keepPod,
      indexes: {
        [BY_SERVICE]: (pod) => asList(serviceKeyOf(pod)),
        [BY_NODE]: ({ spec }) => asList(spec?.nodeName),
      },
    }),
    nodes: openInformer(client, NODES, { ...common, keep: keepNode }),
    slices: openInformer(client, ENDPOINT_SLICES, {
      ...common,
      keep: keepSlice,
      indexes: { [BY_SERVICE]: (slice) => asList(serviceOfSlice(slice)) },
    }),
  };
}

/** Resolves once every copy is complete; rejects when aborted first. */
export async function whenWatched(watched: Watched): Promise<void> {
  const all: readonly Pick<LiveInformer<Node>, "synced">[] = Object.values(watched);
  await Promise.all(all.map(({ synced }) => synced));
}

export function serviceOfSlice({ metadata }: EndpointSlice): string | undefined {
  const name = metadata.labels?.[SERVICE_NAME];
  return name ? `${metadata.namespace}/${name}` : undefined;
}

function asList(value: string | undefined): readonly string[] {
  return value ? [value] : [];
}

function keepService({ metadata: { managedFields: _, ...metadata }, ...service }: Service): Service {
  return { ...service, metadata };
}

function keepNode({ apiVersion, kind, metadata, status }: Node): Node {
  const { name, uid, resourceVersion, labels } = metadata;
  const addresses = status?.addresses;
  return { apiVersion, kind, metadata: { name, uid, resourceVersion, labels }, status: { addresses } };
}

function keepPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, labels, deletionTimestamp } = metadata;
  const isOurs = serviceKeyOf({ metadata }) !== undefined;
  const ports = (containers: NonNullable<Pod["spec"]>["containers"] | undefined) =>
    (containers ?? [])
      .map(({ name, ports, restartPolicy }) => ({
        name,
        restartPolicy,
        ports: ports?.filter(({ hostPort }) => (hostPort ?? 0) > 0),
      }))
      .filter(({ ports }) => ports && ports.length > 0);
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion, deletionTimestamp, ...(isOurs ? { labels } : {}) },
    spec: {
      nodeName: spec?.nodeName,
      containers: ports(spec?.containers),
      initContainers: ports(spec?.initContainers),
      ...(isOurs ? { affinity: spec?.affinity } : {}),
    },
    status: {
      phase: status?.phase,
      podIP: status?.podIP,
      conditions: status?.conditions?.filter(({ type }) => type === "Ready" || type === "PodScheduled"),
    },
  };
}

function keepSlice(slice: EndpointSlice): EndpointSlice {
  const { name, namespace, uid, resourceVersion, labels } = slice.metadata;
  return {
    addressType: slice.addressType,
    metadata: { name, namespace, uid, resourceVersion, labels },
    endpoints: (slice.endpoints ?? []).map(({ nodeName, conditions, targetRef }) => ({
      addresses: [],
      nodeName,
      conditions: { ready: conditions?.ready },
      ...(targetRef ? { targetRef: { kind: targetRef.kind } } : {}),
    })),
  };
}
