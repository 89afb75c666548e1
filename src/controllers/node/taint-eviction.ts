import { isDeepStrictEqual } from "node:util";
import { isApiFault } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { Node, Pod, Taint } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { isDeleting, uidOf } from "#kube/owner";
import { PODS } from "#kube/resources";
import { tolerates } from "#kube/tolerations";
import type { WorkQueue } from "#life/work-queue";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { BY_NODE } from "../informers.ts";
import { formatTime } from "../time.ts";

/** How long a pod may stay on a node with those taints, in milliseconds; undefined for ever. */
export function stayMs({ spec }: Pod, taints: readonly Taint[]): number | undefined {
  let shortest: number | undefined;
  for (const taint of taints) {
    const matching = (spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return 0;
    const limits = matching.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
    const limit = limits.length === 0 ? undefined : Math.max(0, Math.min(...limits)) * 1000;
    if (limit !== undefined) shortest = Math.min(shortest ?? limit, limit);
  }
  return shortest;
}

/** Deletes pods from nodes whose NoExecute taints they do not, or no longer, tolerate. */
export function runTaintEviction(context: ControllerContext): void {
  new TaintEviction(context).run();
}

class TaintEviction {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #queue: WorkQueue<string>;
  /** Since when each pod has been on borrowed time; kept while its node's taints only change. */
  readonly #since = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "taint-eviction-controller");
    this.#queue = openQueue(context, "taint-eviction", { workers: 4, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { nodes, pods } = this.#context.informers;
    nodes.subscribe((change) => {
      if (change.type === "removed") return;
      if (change.type === "changed" && isDeepStrictEqual(evicting(change.before), evicting(change.object)))
        return;
      for (const pod of pods.byIndex(BY_NODE, change.object.metadata.name)) this.#queue.add(keyOf(pod));
    });
    pods.subscribe((change) => {
      if (change.type === "removed") this.#cancel(change.before);
      else if (this.#taintsAt(change.object).length > 0) this.#queue.add(change.key);
    });
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers, clock } = this.#context;
    const pod = informers.pods.get(key);
    if (pod === undefined || isDeleting(pod)) return undefined;
    const taints = this.#taintsAt(pod);
    const limit = taints.length === 0 ? undefined : stayMs(pod, taints);
    if (limit === undefined) {
      this.#cancel(pod);
      return undefined;
    }
    const since = this.#since.get(uidOf(pod)) ?? clock.now();
    this.#since.set(uidOf(pod), since);
    const leftMs = since + limit - clock.now();
    if (leftMs > 0) return leftMs;
    this.#note(pod, `Marking for deletion Pod ${key}`);
    await this.#evict(pod);
    this.#since.delete(uidOf(pod));
    return undefined;
  }

  /** A pod that need not go any more, or went before its time. */
  #cancel(pod: Pod): void {
    if (this.#since.delete(uidOf(pod))) this.#note(pod, `Cancelling deletion of Pod ${keyOf(pod)}`);
  }

  async #evict(pod: Pod): Promise<void> {
    const { client, clock } = this.#context;
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: "DeletionByTaintManager",
      message: "Taint manager: deleting due to NoExecute taint",
      lastTransitionTime: formatTime(clock.now()),
    };
    const patch = { metadata: { uid: pod.metadata.uid }, status: { conditions: [condition] } };
    try {
      await client.patch(PODS, pod.metadata, patch, { type: "strategic", subresource: "status" });
      await client.delete(PODS, pod.metadata, { uid: uidOf(pod) });
    } catch (error) {
      if (!isApiFault(error, "NotFound")) throw error;
    }
  }

  #taintsAt({ spec }: Pod): readonly Taint[] {
    const node = this.#context.informers.nodes.get(spec?.nodeName ?? "");
    return node === undefined ? [] : evicting(node);
  }

  #note(pod: Pod, message: string): void {
    this.#events.record(pod, { type: "Normal", reason: "TaintManagerEviction", message });
  }
}

function evicting({ spec }: Node): readonly Taint[] {
  return (spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");
}
