import { asError } from "#fault/fault";
import { hasCause, isApiFault } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { Pod, ReplicaSet } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { controllerOf, isDeleting } from "#kube/owner";
import { PODS, REPLICA_SETS } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { claimChildren, controllerKey } from "../claim.ts";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { BY_CONTROLLER, BY_NAMESPACE, candidatesOf } from "../informers.ts";
import { Ledger } from "../ledger.ts";
import { isActive, isFinished, nextAvailableMs, podFromTemplate } from "../pods.ts";
import { slowStart } from "../slow-start.ts";
import { desiredStatus, type ReplicaSetPods } from "./status.ts";
import { chooseVictims } from "./victims.ts";

const BURST = 500;

type Failure = ReplicaSetPods["failure"];

/** Keeps as many active pods as each ReplicaSet asks for. */
export function runReplicaSets(context: ControllerContext): void {
  new ReplicaSets(context).run();
}

class ReplicaSets {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #ledger: Ledger<Pod>;
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "replicaset-controller");
    this.#ledger = new Ledger(context.informers.pods, context.clock);
    this.#queue = openQueue(context, "replicaset", { workers: 5, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { replicaSets, pods } = this.#context.informers;
    replicaSets.subscribe(({ key }) => this.#queue.add(key));
    pods.subscribe((change) => {
      if (change.type !== "removed") this.#podChanged(change.object);
      if (change.type !== "added") this.#podChanged(change.before);
    });
  }

  #podChanged(pod: Pod): void {
    const owner = controllerKey(pod, "ReplicaSet");
    if (owner !== undefined) this.#queue.add(owner);
    if (controllerOf(pod) !== undefined) return;
    for (const candidate of this.#context.informers.replicaSets.byIndex(
      BY_NAMESPACE,
      pod.metadata.namespace ?? "",
    )) {
      const selector = candidate.spec?.selector ?? {};
      if (!isEmptySelector(selector) && matchesSelector(selector, pod.metadata.labels))
        this.#queue.add(keyOf(candidate));
    }
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers, client, clock } = this.#context;
    const replicaSet = informers.replicaSets.get(key);
    if (replicaSet === undefined) {
      this.#ledger.forget(key);
      return undefined;
    }
    const candidates = candidatesOf(informers.pods, replicaSet).filter((pod) => !isFinished(pod));
    const own = { resource: REPLICA_SETS, parent: replicaSet, selector: replicaSet.spec?.selector ?? {} };
    const isSettled = this.#ledger.isSettled(key);
    const claimed = await claimChildren(client, own, {
      resource: PODS,
      candidates: candidates.filter((pod) => !isDeleting(pod)),
    });
    const terminating = candidates.filter(
      (pod) => isDeleting(pod) && controllerOf(pod)?.uid === replicaSet.metadata.uid,
    ).length;
    const failed =
      isSettled && !isDeleting(replicaSet) ? await this.#manage(key, replicaSet, claimed) : undefined;
    await this.#report(replicaSet, { active: claimed, terminating, failure: failed?.failure });
    if (failed !== undefined) throw failed.error;
    return nextAvailableMs(claimed, replicaSet.spec?.minReadySeconds, clock.now());
  }

  async #manage(
    key: string,
    replicaSet: ReplicaSet,
    active: readonly Pod[],
  ): Promise<{ failure: Failure; error: Error } | undefined> {
    const surplus = active.length - (replicaSet.spec?.replicas ?? 1);
    try {
      if (surplus < 0) await slowStart(Math.min(-surplus, BURST), () => this.#create(key, replicaSet));
    } catch (error) {
      return failed("FailedCreate", error);
    }
    if (surplus <= 0) return undefined;
    const victims = chooseVictims(active, Math.min(surplus, BURST), {
      siblings: this.#siblings(replicaSet),
      now: this.#context.clock.now(),
    });
    const results = await Promise.allSettled(victims.map((pod) => this.#delete(key, replicaSet, pod)));
    const refused = results.find((result) => result.status === "rejected");
    return refused && failed("FailedDelete", refused.reason);
  }

  async #create(key: string, replicaSet: ReplicaSet): Promise<void> {
    try {
      const draft = podFromTemplate(REPLICA_SETS, replicaSet, replicaSet.spec?.template);
      const pod = await this.#context.client.create(PODS, draft);
      this.#ledger.created(key, pod);
      const message = `Created pod: ${pod.metadata.name}`;
      this.#events.record(replicaSet, { type: "Normal", reason: "SuccessfulCreate", message });
    } catch (error) {
      if (isApiFault(error) && hasCause(error, "NamespaceTerminating")) return;
      const message = `Error creating: ${asError(error).message}`;
      this.#events.record(replicaSet, { type: "Warning", reason: "FailedCreate", message });
      throw error;
    }
  }

  async #delete(key: string, replicaSet: ReplicaSet, pod: Pod): Promise<void> {
    try {
      await this.#context.client.delete(
        PODS,
        pod.metadata,
        pod.metadata.uid ? { uid: pod.metadata.uid } : {},
      );
      this.#ledger.deleted(key, keyOf(pod), pod.metadata.uid);
      const message = `Deleted pod: ${pod.metadata.name}`;
      this.#events.record(replicaSet, { type: "Normal", reason: "SuccessfulDelete", message });
    } catch (error) {
      const message = `Error deleting: ${asError(error).message}`;
      this.#events.record(replicaSet, { type: "Warning", reason: "FailedDelete", message });
      throw error;
    }
  }

  /** Active pods on each node of every ReplicaSet under the same controller. */
  #siblings(replicaSet: ReplicaSet): Map<string, number> {
    const { replicaSets, pods } = this.#context.informers;
    const owner = controllerOf(replicaSet)?.uid;
    const family =
      owner === undefined
        ? [replicaSet]
        : replicaSets
            .byIndex(BY_CONTROLLER, owner)
            .filter(({ metadata }) => metadata.namespace === replicaSet.metadata.namespace);
    const counts = new Map<string, number>();
    for (const { metadata } of family) {
      for (const pod of pods.byIndex(BY_CONTROLLER, metadata.uid ?? "")) {
        if (!isActive(pod)) continue;
        const node = pod.spec?.nodeName ?? "";
        counts.set(node, (counts.get(node) ?? 0) + 1);
      }
    }
    return counts;
  }

  async #report(replicaSet: ReplicaSet, pods: ReplicaSetPods): Promise<void> {
    const status = desiredStatus(replicaSet, pods, this.#context.clock.now());
    if (status === replicaSet.status) return;
    await this.#context.client.replace(REPLICA_SETS, { ...replicaSet, status }, { subresource: "status" });
  }
}

function failed(
  reason: "FailedCreate" | "FailedDelete",
  thrown: unknown,
): { failure: Failure; error: Error } {
  const error = asError(thrown);
  return { failure: { reason, message: error.message }, error };
}
