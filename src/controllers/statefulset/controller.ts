import { asError } from "#fault/fault";
import type { ControllerRevision, Pod, StatefulSet } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { controllerOf, isDeleting } from "#kube/owner";
import { CONTROLLER_REVISIONS, PODS, STATEFUL_SETS } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { claimChildren, controllerKey } from "../claim.ts";
import { type ControllerContext, openQueue } from "../context.ts";
import { type Author, inOrder, planHistory, writeHistory } from "../history.ts";
import { BY_NAMESPACE, candidatesOf } from "../informers.ts";
import { Ledger } from "../ledger.ts";
import { nextAvailableMs } from "../pods.ts";
import { slowStart } from "../slow-start.ts";
import { HASH_LABEL, ordinalOf, revisionOf } from "./identity.ts";
import { planSet, type SetSnapshot } from "./plan.ts";
import { desiredStatus } from "./status.ts";
import { Steps } from "./steps.ts";

const BURST = 500;

/** Keeps the pods of each StatefulSet, every one with its name and its claims. */
export function runStatefulSets(context: ControllerContext): void {
  new StatefulSets(context).run();
}

class StatefulSets {
  readonly #context: ControllerContext;
  readonly #steps: Steps;
  readonly #revisions: Ledger<ControllerRevision>;
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#steps = new Steps(context);
    this.#revisions = new Ledger(context.informers.revisions, context.clock);
    this.#queue = openQueue(context, "statefulset", { workers: 5, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { statefulSets, pods, revisions, claims } = this.#context.informers;
    statefulSets.subscribe(({ key }) => this.#queue.add(key));
    pods.subscribe((change) => {
      if (change.type !== "removed") this.#podChanged(change.object);
      if (change.type !== "added") this.#podChanged(change.before);
    });
    revisions.subscribe((change) => {
      const object = change.type === "removed" ? change.before : change.object;
      const owner = controllerKey(object, STATEFUL_SETS);
      if (owner !== undefined) this.#queue.add(owner);
    });
    // A claim that had to go first may be gone: its pod may come.
    claims.subscribe((change) => {
      const { name, namespace = "" } = (change.type === "removed" ? change.before : change.object).metadata;
      for (const set of statefulSets.byIndex(BY_NAMESPACE, namespace))
        if (name.includes(`-${set.metadata.name}-`)) this.#queue.add(keyOf(set));
    });
  }

  #podChanged(pod: Pod): void {
    const owner = controllerKey(pod, STATEFUL_SETS);
    if (owner !== undefined) this.#queue.add(owner);
    if (controllerOf(pod) !== undefined) return;
    const { namespace = "", labels } = pod.metadata;
    for (const set of this.#context.informers.statefulSets.byIndex(BY_NAMESPACE, namespace)) {
      const selector = set.spec?.selector ?? {};
      if (!isEmptySelector(selector) && matchesSelector(selector, labels)) this.#queue.add(keyOf(set));
    }
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers, client, clock } = this.#context;
    const set = informers.statefulSets.get(key);
    if (set === undefined) {
      this.#steps.forget(key);
      this.#revisions.forget(key);
      return undefined;
    }
    const selector = set.spec?.selector ?? {};
    if (isEmptySelector(selector)) return undefined;
    if (!this.#revisions.isSettled(key) || !this.#steps.isSettled(key)) return undefined;
    const own = { resource: STATEFUL_SETS, parent: set, selector };
    const history = await claimChildren(client, own, {
      resource: CONTROLLER_REVISIONS,
      candidates: candidatesOf(informers.revisions, set),
    });
    const pods = await claimChildren(client, own, {
      resource: PODS,
      candidates: candidatesOf(informers.pods, set).filter((pod) => ordinalOf(set, pod) !== undefined),
    });
    const snapshot = await this.#snapshot(set, history, pods);
    const error = isDeleting(set) ? undefined : await this.#carryOut(key, snapshot);
    await this.#report(snapshot);
    if (error !== undefined) throw error;
    await this.#trim(key, snapshot, history);
    return nextAvailableMs(pods, set.spec?.minReadySeconds, clock.now());
  }

  async #snapshot(
    set: StatefulSet,
    history: readonly ControllerRevision[],
    pods: readonly Pod[],
  ): Promise<SetSnapshot> {
    const { informers, client, clock } = this.#context;
    const author: Author = {
      resource: STATEFUL_SETS,
      parent: set,
      template: set.spec?.template,
      collisionCount: set.status?.collisionCount,
      hashLabel: HASH_LABEL,
    };
    const update = await writeHistory(client, author, planHistory(author, history), {
      ledger: this.#revisions,
      onCollision: () => this.#countCollision(set),
    });
    const named = history.find(({ metadata }) => metadata.name === set.status?.currentRevision);
    const { namespace = "" } = set.metadata;
    return {
      set,
      update,
      current: named === undefined || named.metadata.name === update.metadata.name ? update : named,
      pods,
      claim: (name) => informers.claims.get(keyOf({ metadata: { namespace, name } })),
      now: clock.now(),
    };
  }

  /** The error that stopped it, if any: the status is to be written all the same. */
  async #carryOut(key: string, snapshot: SetSnapshot): Promise<Error | undefined> {
    const all = planSet(snapshot);
    const deletes = all.filter((step) => step.do === "delete");
    try {
      // A claim gets its owner before the owner goes.
      for (const steps of [all.filter((step) => step.do !== "delete"), deletes]) {
        const left = steps.slice(0, BURST).values();
        await slowStart(Math.min(BURST, steps.length), async () => {
          const step = left.next().value;
          if (step !== undefined) await this.#steps.take(key, snapshot, step);
        });
      }
      return undefined;
    } catch (error) {
      return asError(error);
    }
  }

  async #countCollision(set: StatefulSet): Promise<void> {
    const collisionCount = (set.status?.collisionCount ?? 0) + 1;
    const next = { ...set, status: { replicas: 0, ...set.status, collisionCount } };
    await this.#context.client.replace(STATEFUL_SETS, next, { subresource: "status" });
  }

  async #report(snapshot: SetSnapshot): Promise<void> {
    const { set } = snapshot;
    const status = desiredStatus(snapshot);
    if (status === set.status) return;
    await this.#context.client.replace(STATEFUL_SETS, { ...set, status }, { subresource: "status" });
  }

  /** Deletes the oldest revisions nobody uses beyond the history limit. */
  async #trim(key: string, snapshot: SetSnapshot, history: readonly ControllerRevision[]): Promise<void> {
    const { set, current, update, pods } = snapshot;
    const live = new Set([current.metadata.name, update.metadata.name, ...pods.map(revisionOf)]);
    const idle = inOrder(history).filter(({ metadata }) => !live.has(metadata.name));
    const surplus = idle.length - (set.spec?.revisionHistoryLimit ?? 10);
    for (const revision of idle.slice(0, Math.max(0, surplus))) {
      await this.#context.client.delete(CONTROLLER_REVISIONS, revision.metadata);
      this.#revisions.deleted(key, keyOf(revision), revision.metadata.uid);
    }
  }
}
