import { isDeepStrictEqual } from "node:util";
import { asError } from "#fault/fault";
import { hasCause, isApiFault } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { EndpointSlice, Pod, Service } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { isDeleting } from "#kube/owner";
import { ENDPOINT_SLICES } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { BY_NAMESPACE, BY_SERVICE, SERVICE_NAME_LABEL } from "../informers.ts";
import { Ledger } from "../ledger.ts";
import { isReady, podIps } from "../pods.ts";
import { desiredEndpoints } from "./desired.ts";
import { MANAGED_BY, MANAGER, planSlices, type SlicePlan } from "./plan.ts";
import { TriggerTimes } from "./trigger-time.ts";

const TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time";
const NODE_RETRY_MS = 1_000;

/** Keeps each Service's EndpointSlices in step with the pods it selects. */
export function runEndpointSlices(context: ControllerContext): void {
  new EndpointSlices(context).run();
}

class EndpointSlices {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #ledger: Ledger<EndpointSlice>;
  readonly #times = new TriggerTimes();
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "endpoint-slice-controller");
    this.#ledger = new Ledger(context.informers.endpointSlices, context.clock);
    this.#queue = openQueue(context, "endpointslice", { workers: 5, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { services, pods, endpointSlices } = this.#context.informers;
    services.subscribe(({ key }) => this.#queue.add(key));
    pods.subscribe((change) => {
      if (change.type === "added") this.#podChanged(change.object);
      else if (change.type === "removed") this.#podChanged(change.before);
      else if (!isDeepStrictEqual(visible(change.before), visible(change.object))) {
        this.#podChanged(change.before);
        this.#podChanged(change.object);
      }
    });
    endpointSlices.subscribe((change) => {
      const { metadata } = change.type === "removed" ? change.before : change.object;
      const service = metadata.labels?.[SERVICE_NAME_LABEL];
      if (service !== undefined && metadata.labels?.[MANAGED_BY] === MANAGER)
        this.#queue.add(`${metadata.namespace}/${service}`);
    });
  }

  #podChanged(pod: Pod): void {
    const { services } = this.#context.informers;
    for (const service of services.byIndex(BY_NAMESPACE, pod.metadata.namespace ?? ""))
      if (selects(service, pod)) this.#queue.add(keyOf(service));
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers } = this.#context;
    const service = informers.services.get(key);
    if (service === undefined) {
      this.#ledger.forget(key);
      this.#times.forget(key);
      return undefined;
    }
    const isOurs = Object.keys(service.spec?.selector ?? {}).length > 0;
    if (!isOurs || service.spec?.type === "ExternalName" || !this.#ledger.isSettled(key)) return undefined;
    const pods = informers.pods
      .byIndex(BY_NAMESPACE, service.metadata.namespace ?? "")
      .filter((pod) => selects(service, pod));
    const desired = desiredEndpoints(service, pods, (name) => informers.nodes.get(name));
    const slices = informers.endpointSlices
      .byIndex(BY_SERVICE, key)
      .filter((slice) => slice.metadata.labels?.[MANAGED_BY] === MANAGER && !isDeleting(slice));
    const triggeredAt = this.#times.next(key, service, pods);
    const stray = slices.filter(({ addressType }) => !desired.byAddressType.has(addressType));
    try {
      for (const [addressType, groups] of desired.byAddressType) {
        const standing = slices.filter((slice) => slice.addressType === addressType);
        await this.#apply(key, planSlices(service, addressType, groups, standing), triggeredAt);
      }
      await this.#apply(key, { create: [], update: [], delete: stray }, undefined);
    } catch (error) {
      this.#complain(service, error);
      throw error;
    }
    return desired.isPartial ? NODE_RETRY_MS : undefined;
  }

  /** Creates, then updates, then deletes: readers cope with an endpoint seen twice, not with one missing. */
  async #apply(key: string, plan: SlicePlan, triggeredAt: string | undefined): Promise<void> {
    const { client } = this.#context;
    for (const slice of plan.create)
      this.#ledger.created(key, await client.create(ENDPOINT_SLICES, stamped(slice, triggeredAt)));
    for (const slice of plan.update)
      this.#ledger.created(key, await client.replace(ENDPOINT_SLICES, stamped(slice, triggeredAt)));
    for (const slice of plan.delete) {
      await client.delete(ENDPOINT_SLICES, slice.metadata);
      this.#ledger.deleted(key, keyOf(slice), slice.metadata.uid);
    }
  }

  #complain(service: Service, error: unknown): void {
    if (
      isApiFault(error, "Conflict", "NotFound") ||
      (isApiFault(error) && hasCause(error, "NamespaceTerminating"))
    )
      return;
    const message = `Error updating Endpoint Slices for Service ${keyOf(service)}: ${asError(error).message}`;
    this.#events.record(service, { type: "Warning", reason: "FailedToUpdateEndpointSlices", message });
  }
}

function selects({ spec }: Service, { metadata }: Pod): boolean {
  const matchLabels = spec?.selector ?? {};
  return Object.keys(matchLabels).length > 0 && matchesSelector({ matchLabels }, metadata.labels);
}

/** What of a pod can show in a slice. */
function visible(pod: Pod): unknown {
  return [
    pod.metadata.labels ?? {},
    isDeleting(pod),
    isReady(pod),
    podIps(pod),
    pod.status?.phase,
    pod.spec?.hostname,
    pod.spec?.subdomain,
    pod.spec?.nodeName,
  ];
}

function stamped(slice: EndpointSlice, triggeredAt: string | undefined): EndpointSlice {
  const { [TRIGGER_TIME]: _, ...others } = slice.metadata.annotations ?? {};
  const annotations = triggeredAt === undefined ? others : { ...others, [TRIGGER_TIME]: triggeredAt };
  return { ...slice, metadata: { ...slice.metadata, annotations } };
}
