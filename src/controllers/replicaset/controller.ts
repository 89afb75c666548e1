import { asError } from "#fault/fault";
import { wordsOf } from "#kube/api-fault";
import type { Pod, ReplicaSet } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { controllerOf, isDeleting } from "#kube/owner";
import { PODS } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { claimChildren, controllerKey } from "../claim.ts";
import { type ControllerContext, openQueue } from "../context.ts";
import { BY_CONTROLLER, candidatesOf } from "../informers.ts";
import { PodControl } from "../pod-control.ts";
import { isActive, isFinished, nextAvailableMs, podFromTemplate } from "../pods.ts";
import { slowStart } from "../slow-start.ts";
import { type ReplicaKind, replicaSetKind } from "./kind.ts";
import { desiredStatus, type ReplicaSetPods } from "./status.ts";
import { chooseVictims } from "./victims.ts";

const BURST = 500;

type Failure = ReplicaSetPods["failure"];

/** Keeps as many active pods as each ReplicaSet asks for. */
export function runReplicaSets(context: ControllerContext): void {
  new Replicas(context, replicaSetKind(context)).run();
}

/** One code for every kind that asks for a number of pods. */
export class Replicas {
  readonly #context: ControllerContext;
  readonly #kind: ReplicaKind;
  readonly #pods: PodControl;
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext, kind: ReplicaKind) {
    this.#context = context;
    this.#kind = kind;
    this.#pods = new PodControl(context, kind.component);
    this.#queue = openQueue(context, kind.component.replace("-controller", ""), {
      workers: 5,
      work: (key) => this.#sync(key),
    });
  }

  run(): void {
    this.#kind.subscribe((key) => this.#queue.add(key));
    this.#context.informers.pods.subscribe((change) => {
      if (change.type !== "removed") this.#podChanged(change.object);
      if (change.type !== "added") this.#podChanged(change.before);
    });
  }

  #podChanged(pod: Pod): void {
    const owner = controllerKey(pod, this.#kind.resource);
    if (owner !== undefined) this.#queue.add(owner);
    if (controllerOf(pod) !== undefined) return;
    for (const candidate of this.#kind.inNamespace(pod.metadata.namespace ?? "")) {
      const selector = candidate.spec?.selector ?? {};
      if (!isEmptySelector(selector) && matchesSelector(selector, pod.metadata.labels))
        this.#queue.add(keyOf(candidate));
    }
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers, client, clock } = this.#context;
    const replicaSet = this.#kind.get(key);
    if (replicaSet === undefined) {
      this.#pods.ledger.forget(key);
      return undefined;
    }
    const candidates = candidatesOf(informers.pods, replicaSet).filter((pod) => !isFinished(pod));
    const { resource } = this.#kind;
    const own = { resource, parent: replicaSet, selector: replicaSet.spec?.selector ?? {} };
    const isSettled = this.#pods.ledger.isSettled(key);
    const claimed = await claimChildren(client, own, {
      resource: PODS,
      candidates: candidates.filter((pod) => !isDeleting(pod)),
    });
    const terminating = candidates.filter(
      (pod) => isDeleting(pod) && controllerOf(pod)?.uid === replicaSet.metadata.uid,
    ).length;
    const failed =
      isSettled && !isDeleting(replicaSet) ? await this.#manage(key, replicaSet, claimed) : undefined;
    await this.#report(replicaSet, { active: claimed, terminating, failure: failed?.failure }, isSettled);
    if (failed !== undefined) throw failed.error;
    return nextAvailableMs(claimed, replicaSet.spec?.minReadySeconds, clock.now());
  }

  async #manage(
    key: string,
    replicaSet: ReplicaSet,
    active: readonly Pod[],
  ): Promise<{ failure: Failure; error: Error } | undefined> {
    const surplus = active.length - (replicaSet.spec?.replicas ?? 1);
    const { resource } = this.#kind;
    try {
      const draft = podFromTemplate(resource, replicaSet, replicaSet.spec?.template);
      if (surplus < 0)
        await slowStart(Math.min(-surplus, BURST), () => this.#pods.create(key, replicaSet, draft));
    } catch (error) {
      return failed("FailedCreate", error);
    }
    if (surplus <= 0) return undefined;
    const victims = chooseVictims(active, Math.min(surplus, BURST), {
      siblings: this.#siblings(replicaSet),
      now: this.#context.clock.now(),
    });
    const results = await Promise.allSettled(victims.map((pod) => this.#pods.delete(key, replicaSet, pod)));
    const refused = results.find((result) => result.status === "rejected");
    return refused && failed("FailedDelete", refused.reason);
  }

  /** Active pods on each node of every parent under the same controller. */
  #siblings(replicaSet: ReplicaSet): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { metadata } of this.#kind.familyOf(replicaSet)) {
      for (const pod of this.#context.informers.pods.byIndex(BY_CONTROLLER, metadata.uid ?? "")) {
        if (!isActive(pod)) continue;
        const node = pod.spec?.nodeName ?? "";
        counts.set(node, (counts.get(node) ?? 0) + 1);
      }
    }
    return counts;
  }

  /** While the copy of the pods is behind, what is counted is not what the newest generation led to. */
  async #report(replicaSet: ReplicaSet, pods: ReplicaSetPods, isSettled: boolean): Promise<void> {
    const status = desiredStatus(replicaSet, pods, this.#context.clock.now());
    if (!isSettled || status === replicaSet.status) return;
    await this.#kind.writeStatus(this.#context.client, replicaSet, status);
  }
}

function failed(
  reason: "FailedCreate" | "FailedDelete",
  thrown: unknown,
): { failure: Failure; error: Error } {
  const error = asError(thrown);
  return { failure: { reason, message: wordsOf(error) }, error };
}
