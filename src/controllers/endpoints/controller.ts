import { isDeepStrictEqual } from "node:util";
import { hasCause, isApiFault, wordsOf } from "#kube/api-fault";
import type { Endpoints } from "#kube/endpoints";
import type { EventRecorder } from "#kube/event-recorder";
import type { Service } from "#kube/generated/types";
import { ENDPOINTS } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { hasSelector, podsOf, watchServicePods } from "../endpointslice/service-pods.ts";
import { TRIGGER_TIME, TriggerTimes } from "../endpointslice/trigger-time.ts";
import { desiredSubsets, endpointsLabels, isManaged, OVER_CAPACITY, sameSubsets } from "./desired.ts";

/** Every write is the whole list again: long ones are written no more often than this. */
const LONG = 200;
const LONG_PAUSE_MS = 1_000;

/** Keeps each Service's Endpoints, the one list that came before slices, in step with the pods it selects. */
export function runEndpoints(context: ControllerContext): void {
  new EndpointsKeeper(context).run();
}

class EndpointsKeeper {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #times = new TriggerTimes();
  readonly #queue: WorkQueue<string>;
  /** Services that went, and whose lists may still stand. */
  readonly #gone = new Set<string>();
  /** When a long list was last written. */
  readonly #written = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "endpoint-controller");
    this.#queue = openQueue(context, "endpoints", { workers: 5, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { services, endpoints } = this.#context.informers;
    services.subscribe(({ type, key }) => {
      if (type === "removed") this.#gone.add(key);
    });
    watchServicePods(this.#context, this.#queue);
    endpoints.subscribe((change) => {
      if (change.type !== "added" || isManaged(change.object)) this.#queue.add(change.key);
    });
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers, clock } = this.#context;
    const service = informers.services.get(key);
    if (service === undefined) return this.#forget(key);
    this.#gone.delete(key);
    if (!hasSelector(service) || service.spec?.type === "ExternalName") return undefined;
    const waitMs = (this.#written.get(key) ?? Number.NEGATIVE_INFINITY) + LONG_PAUSE_MS - clock.now();
    if (waitMs > 0) return waitMs;
    const pods = podsOf(this.#context, service);
    const { subsets, isTruncated } = desiredSubsets(service, pods);
    const triggeredAt = this.#times.next(key, service, pods);
    const standing = informers.endpoints.get(key);
    const draft = endpointsOf(service, standing, { subsets, isTruncated, triggeredAt });
    if (standing !== undefined && isRight(standing, draft)) return undefined;
    if (pods.length > LONG) this.#written.set(key, clock.now());
    await this.#write(service, standing, draft);
    return undefined;
  }

  /** The list goes with its Service; one that somebody made before there is a Service stays. */
  async #forget(key: string): Promise<undefined> {
    this.#times.forget(key);
    this.#written.delete(key);
    const standing = this.#context.informers.endpoints.get(key);
    const isLeftover = this.#gone.delete(key) || (standing !== undefined && isManaged(standing));
    if (standing === undefined || !isLeftover) return;
    await this.#context.client.delete(ENDPOINTS, standing.metadata, { uid: standing.metadata.uid ?? "" });
  }

  async #write(service: Service, standing: Endpoints | undefined, draft: Endpoints): Promise<void> {
    const { client } = this.#context;
    try {
      if (standing === undefined) await client.create(ENDPOINTS, draft);
      else await client.replace(ENDPOINTS, draft);
    } catch (error) {
      if (isApiFault(error) && hasCause(error, "NamespaceTerminating")) return;
      if (!isApiFault(error, "Conflict", "NotFound", "AlreadyExists")) {
        const verb = standing === undefined ? "create" : "update";
        const reason = standing === undefined ? "FailedToCreateEndpoint" : "FailedToUpdateEndpoint";
        const message = `Failed to ${verb} endpoint for service ${service.metadata.namespace}/${service.metadata.name}: ${wordsOf(error)}`;
        this.#events.record(service, { type: "Warning", reason, message });
      }
      throw error;
    }
  }
}

function endpointsOf(
  service: Service,
  standing: Endpoints | undefined,
  {
    subsets,
    isTruncated,
    triggeredAt,
  }: { subsets: Endpoints["subsets"]; isTruncated: boolean; triggeredAt: string | undefined },
): Endpoints {
  const { [TRIGGER_TIME]: _time, [OVER_CAPACITY]: _over, ...others } = standing?.metadata.annotations ?? {};
  const { name, namespace } = service.metadata;
  return {
    ...standing,
    metadata: {
      ...(standing?.metadata ?? { name, namespace }),
      labels: endpointsLabels(service),
      annotations: {
        ...others,
        ...(triggeredAt === undefined ? {} : { [TRIGGER_TIME]: triggeredAt }),
        ...(isTruncated ? { [OVER_CAPACITY]: "truncated" } : {}),
      },
    },
    subsets,
  };
}

function isRight(standing: Endpoints, draft: Endpoints): boolean {
  const capacity = ({ metadata }: Endpoints) => metadata.annotations?.[OVER_CAPACITY];
  return (
    sameSubsets(standing.subsets, draft.subsets) &&
    isDeepStrictEqual(standing.metadata.labels ?? {}, draft.metadata.labels) &&
    capacity(standing) === capacity(draft)
  );
}
