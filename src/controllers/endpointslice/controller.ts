import { hasCause, isApiFault, wordsOf } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { EndpointSlice, Service } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { isDeleting } from "#kube/owner";
import type { WorkQueue } from "#life/work-queue";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { BY_NODE, BY_SERVICE, SERVICE_NAME_LABEL } from "../informers.ts";
import { desiredEndpoints, type PortGroup } from "./desired.ts";
import { isAuto, withAutoHints } from "./hints.ts";
import { MANAGED_BY, MANAGER, planSlices, type SlicePlan, serviceFrame } from "./plan.ts";
import { hasSelector, podsOf, watchServicePods } from "./service-pods.ts";
import { SliceWriter } from "./slice-writer.ts";
import { Topology, topologyOf } from "./topology.ts";
import { TRIGGER_TIME, TriggerTimes } from "./trigger-time.ts";

const NODE_RETRY_MS = 1_000;
/** What others do to a slice is put right, but not in a race with them. */
const REPAIR_MS = 1_000;
const MAX_ENDPOINTS = 100;
/** A Service so large that one look takes this long is looked at for at most a part of the time, however much its pods change. */
const LONG_MS = 20;
const REST = 4;

/** Keeps each Service's EndpointSlices in step with the pods it selects. */
export function runEndpointSlices(context: ControllerContext): void {
  new EndpointSlices(context).run();
}

class EndpointSlices {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #slices: SliceWriter;
  readonly #times = new TriggerTimes();
  readonly #queue: WorkQueue<string>;
  readonly #topology = new Topology();
  /** When a large Service may be looked at again. */
  readonly #restUntil = new Map<string, number>();
  /** Whether hints stand, by Service and address type; told once when it changes. */
  readonly #hinted = new Map<string, string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "endpoint-slice-controller");
    this.#slices = new SliceWriter(context);
    this.#queue = openQueue(context, "endpointslice", { workers: 5, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { endpointSlices, nodes } = this.#context.informers;
    watchServicePods(this.#context, this.#queue);
    nodes.subscribe((change) => this.#nodeChanged(change.key));
    endpointSlices.subscribe((change) => {
      const slice = change.type === "removed" ? change.before : change.object;
      const key = serviceKeyOf(slice);
      if (key !== undefined && this.#slices.concerns(key, change)) {
        if (this.#slices.isHeld(key)) this.#queue.add(key);
        else this.#queue.addAfter(key, REPAIR_MS);
      }
    });
  }

  /** A node that moved to another zone takes its endpoints along; what zones there are decides who gets which endpoints. */
  #nodeChanged(name: string): void {
    const { nodes, pods, services } = this.#context.informers;
    const { hasMoved, hasChanged } = this.#topology.observe(name, nodes.get(name));
    if (hasChanged)
      for (const service of services.list()) if (isAuto(service)) this.#queue.add(keyOf(service));
    if (!hasMoved) return;
    const touched = new Set(pods.byIndex(BY_NODE, name).map(({ metadata }) => metadata.namespace));
    for (const service of services.list())
      if (hasSelector(service) && touched.has(service.metadata.namespace)) this.#queue.add(keyOf(service));
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers } = this.#context;
    const service = informers.services.get(key);
    if (service === undefined) return this.#forget(key);
    if (!hasSelector(service) || service.spec?.type === "ExternalName") return undefined;
    const startedAt = this.#context.clock.now();
    const restMs = (this.#restUntil.get(key) ?? 0) - startedAt;
    if (restMs > 0) return restMs;
    if (!this.#slices.isSettled(key)) return undefined;
    const pods = podsOf(this.#context, service);
    const desired = desiredEndpoints(service, pods, (name) => informers.nodes.get(name));
    const slices = informers.endpointSlices
      .byIndex(BY_SERVICE, key)
      .filter((slice) => slice.metadata.labels?.[MANAGED_BY] === MANAGER && !isDeleting(slice));
    const triggeredAt = this.#times.next(key, service, pods);
    const stray = slices.filter(({ addressType }) => !desired.byAddressType.has(addressType));
    const frame = serviceFrame(service, this.#context.maxEndpointsPerSlice ?? MAX_ENDPOINTS);
    const plans = [...desired.byAddressType].map(([addressType, groups]) => {
      const standing = slices.filter((slice) => slice.addressType === addressType);
      const hinted = this.#hints(service, addressType, groups, standing);
      return stamped(planSlices(frame, addressType, hinted, standing), triggeredAt);
    });
    const tookMs = this.#context.clock.now() - startedAt;
    if (tookMs >= LONG_MS) this.#restUntil.set(key, startedAt + tookMs * REST);
    else this.#restUntil.delete(key);
    try {
      for (const plan of plans) await this.#slices.apply(key, plan);
      await this.#slices.apply(key, { create: [], update: [], delete: stray });
    } catch (error) {
      this.#complain(service, error);
      throw error;
    }
    return desired.isPartial ? NODE_RETRY_MS : undefined;
  }

  #forget(key: string): undefined {
    this.#slices.forget(key);
    this.#times.forget(key);
    this.#restUntil.delete(key);
    for (const known of this.#hinted.keys()) if (known.startsWith(`${key}|`)) this.#hinted.delete(known);
  }

  #hints(
    service: Service,
    addressType: string,
    groups: readonly PortGroup[],
    standing: readonly EndpointSlice[],
  ): readonly PortGroup[] {
    const key = `${keyOf(service)}|${addressType}`;
    const before = this.#hinted.get(key);
    if (!isAuto(service)) {
      this.#hinted.delete(key);
      return groups;
    }
    const result = withAutoHints(groups, standing, topologyOf(this.#context.informers.nodes.list()));
    const state = result.problem ?? "";
    if (state !== before) this.#tellHints(service, addressType, result.problem, before);
    this.#hinted.set(key, state);
    return result.groups;
  }

  #tellHints(
    service: Service,
    addressType: string,
    problem: string | undefined,
    before: string | undefined,
  ): void {
    if (problem !== undefined) {
      const message = `${problem}, addressType: ${addressType}`;
      this.#events.record(service, { type: "Warning", reason: "TopologyAwareHintsDisabled", message });
    } else if (before === undefined || before !== "") {
      const message = `Topology Aware Hints has been enabled, addressType: ${addressType}`;
      this.#events.record(service, { type: "Normal", reason: "TopologyAwareHintsEnabled", message });
    }
  }

  #complain(service: Service, error: unknown): void {
    if (
      isApiFault(error, "Conflict", "NotFound") ||
      (isApiFault(error) && hasCause(error, "NamespaceTerminating"))
    )
      return;
    const message = `Error updating Endpoint Slices for Service ${keyOf(service)}: ${wordsOf(error)}`;
    this.#events.record(service, { type: "Warning", reason: "FailedToUpdateEndpointSlices", message });
  }
}

function serviceKeyOf({ metadata }: EndpointSlice): string | undefined {
  const { [SERVICE_NAME_LABEL]: service, [MANAGED_BY]: manager } = metadata.labels ?? {};
  return service !== undefined && manager === MANAGER ? `${metadata.namespace}/${service}` : undefined;
}

/** The plan with the time of the change it carries on every slice it writes. */
function stamped({ create, update, delete: gone }: SlicePlan, triggeredAt: string | undefined): SlicePlan {
  const stamp = (slice: EndpointSlice): EndpointSlice => {
    const { [TRIGGER_TIME]: _, ...others } = slice.metadata.annotations ?? {};
    const annotations = triggeredAt === undefined ? others : { ...others, [TRIGGER_TIME]: triggeredAt };
    return { ...slice, metadata: { ...slice.metadata, annotations } };
  };
  return { create: create.map(stamp), update: update.map(stamp), delete: gone };
}
