import { asError } from "#fault/fault";
import { hasCause, isApiFault, wordsOf } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { Deployment, ReplicaSet } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { controllerOf, isControlledBy, isDeleting } from "#kube/owner";
import { DEPLOYMENTS, REPLICA_SETS } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { claimChildren, controllerKey } from "../claim.ts";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { BY_CONTROLLER, BY_NAMESPACE, candidatesOf } from "../informers.ts";
import { Ledger } from "../ledger.ts";
import { isFinished } from "../pods.ts";
import { isSameTemplate } from "../template.ts";
import {
  everyone,
  type Family,
  familyOf,
  isComplete,
  isRecreate,
  REVISION,
  type Resize,
  revisionOf,
  sizeOf,
} from "./model.ts";
import { draftReplicaSet, refreshedNewest } from "./replica-set.ts";
import { planCleanUp, planRecreate, planRollingUpdate } from "./roll-out.ts";
import { isScalingEvent, planScale, sizeAnnotations } from "./scale.ts";
import { deadlineMs, desiredStatus, type Finding, hasDeadline, pauseFinding } from "./status.ts";

/** What one round did to the ReplicaSets, for the status. */
interface Round {
  readonly family: Family;
  readonly finding?: Finding | undefined;
  readonly collisionCount?: number | undefined;
  readonly error?: Error;
  /** Whether it could move the roll-out. */
  readonly isRollOut?: boolean;
}

/** Rolls each Deployment's ReplicaSets towards its template and size. */
export function runDeployments(context: ControllerContext): void {
  new Deployments(context).run();
}

class Deployments {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #ledger: Ledger<ReplicaSet>;
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "deployment-controller");
    this.#ledger = new Ledger(context.informers.replicaSets, context.clock);
    this.#queue = openQueue(context, "deployment", { workers: 5, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { deployments, replicaSets, pods } = this.#context.informers;
    deployments.subscribe(({ key }) => this.#queue.add(key));
    replicaSets.subscribe((change) => {
      if (change.type !== "removed") this.#replicaSetChanged(change.object);
      if (change.type !== "added") this.#replicaSetChanged(change.before);
    });
    // Recreate goes on once the last old pod is gone.
    pods.subscribe((change) => {
      if (change.type !== "removed") return;
      const owner = controllerKey(change.before, REPLICA_SETS);
      const replicaSet = owner === undefined ? undefined : replicaSets.get(owner);
      if (replicaSet !== undefined) this.#replicaSetChanged(replicaSet);
    });
  }

  #replicaSetChanged(replicaSet: ReplicaSet): void {
    const owner = controllerKey(replicaSet, DEPLOYMENTS);
    if (owner !== undefined) this.#queue.add(owner);
    if (controllerOf(replicaSet) !== undefined) return;
    const { namespace = "", labels } = replicaSet.metadata;
    for (const candidate of this.#context.informers.deployments.byIndex(BY_NAMESPACE, namespace)) {
      const selector = candidate.spec?.selector;
      if (selector && !isEmptySelector(selector) && matchesSelector(selector, labels))
        this.#queue.add(keyOf(candidate));
    }
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers, client } = this.#context;
    const deployment = informers.deployments.get(key);
    if (deployment === undefined) {
      this.#ledger.forget(key);
      return undefined;
    }
    const selector = deployment.spec?.selector ?? {};
    if (isEmptySelector(selector)) return this.#refuse(deployment);
    // Our own writes not seen yet: their events bring us back.
    if (!this.#ledger.isSettled(key)) return undefined;
    const replicaSets = await claimChildren(
      client,
      { resource: DEPLOYMENTS, parent: deployment, selector },
      { resource: REPLICA_SETS, candidates: candidatesOf(informers.replicaSets, deployment) },
    );
    const family = familyOf(deployment, replicaSets);
    const round = isDeleting(deployment) ? { family } : await this.#step(family);
    const againMs = await this.#report(round);
    if (round.error) throw round.error;
    return againMs;
  }

  async #step(family: Family): Promise<Round> {
    const { deployment } = family;
    const finding = pauseFinding(deployment);
    if (deployment.spec?.paused) {
      const scaled = await this.#resize(family, planScale(family));
      await this.#cleanUp(scaled);
      return { family: scaled, finding };
    }
    if (isScalingEvent(family)) return { family: await this.#resize(family, planScale(family)), finding };
    const round = isRecreate(deployment) ? await this.#recreate(family) : await this.#rollOut(family);
    return { ...round, finding: round.finding ?? finding, isRollOut: true };
  }

  async #rollOut(family: Family): Promise<Round> {
    const round = await this.#ensureNewest(family);
    const { newest } = round.family;
    if (newest === undefined) return round;
    const steps = planRollingUpdate({ ...round.family, newest });
    if (steps.length > 0) return { ...round, family: await this.#resize(round.family, steps) };
    if (isComplete(family.deployment)) await this.#cleanUp(round.family);
    return round;
  }

  async #recreate(family: Family): Promise<Round> {
    const left = this.#oldPodsLeft(family.old);
    const isOldGone =
      left === 0 && family.old.every((set) => sizeOf(set) + (set.status?.replicas ?? 0) === 0);
    const round =
      isOldGone || family.newest !== undefined ? await this.#ensureNewest(family) : ({ family } as Round);
    const { newest } = round.family;
    const steps =
      newest === undefined
        ? family.old.filter((set) => sizeOf(set) > 0).map((replicaSet) => ({ replicaSet, to: 0 }))
        : planRecreate({ ...round.family, newest }, left);
    if (steps.length > 0) return { ...round, family: await this.#resize(round.family, steps) };
    if (isComplete(family.deployment)) await this.#cleanUp(round.family);
    return round;
  }

  #oldPodsLeft(old: readonly ReplicaSet[]): number {
    const { pods } = this.#context.informers;
    const all = old.flatMap(({ metadata }) => pods.byIndex(BY_CONTROLLER, metadata.uid ?? ""));
    return all.filter((pod) => !isFinished(pod)).length;
  }

  /** The family with a newest ReplicaSet that carries the revision: found, brought up to date, or made. */
  async #ensureNewest(family: Family): Promise<Round> {
    const { newest, deployment } = family;
    if (newest === undefined) return this.#createNewest(family, deployment.status?.collisionCount);
    const fresh = refreshedNewest(family, newest);
    const current = fresh === newest ? newest : await this.#write(deployment, fresh);
    const isNoted = deployment.status?.conditions?.some(({ type }) => type === "Progressing");
    const message = `Found new replica set "${current.metadata.name}"`;
    const finding = isNoted ? undefined : { status: "True", reason: "FoundNewReplicaSet", message };
    return { family: { ...family, newest: current }, finding };
  }

  async #createNewest(family: Family, collisionCount: number | undefined): Promise<Round> {
    const { deployment } = family;
    const draft = draftReplicaSet(family, collisionCount);
    try {
      const newest = await this.#context.client.create(REPLICA_SETS, draft);
      this.#ledger.created(keyOf(deployment), newest);
      this.#noteScale(deployment, newest, 0, sizeOf(newest));
      const message = `Created new replica set "${newest.metadata.name}"`;
      const finding = { status: "True", reason: "NewReplicaSetCreated", message };
      return { family: { ...family, newest }, finding, collisionCount };
    } catch (error) {
      if (isApiFault(error, "AlreadyExists")) return this.#collided(family, draft, collisionCount);
      if (isApiFault(error) && hasCause(error, "NamespaceTerminating")) return { family };
      return this.#createRefused(family, draft, asError(error));
    }
  }

  /** Someone has the name: ourselves with a stale copy, or another template with the same hash. */
  async #collided(family: Family, draft: ReplicaSet, collisionCount: number | undefined): Promise<Round> {
    const existing = await this.#context.client.get(REPLICA_SETS, draft.metadata);
    const isOurs =
      isControlledBy(existing, family.deployment) &&
      isSameTemplate(existing.spec?.template, draft.spec?.template);
    if (isOurs) return { family: { ...family, newest: existing } };
    return this.#createNewest(family, (collisionCount ?? 0) + 1);
  }

  #createRefused(family: Family, draft: ReplicaSet, error: Error): Round {
    const { deployment } = family;
    const message = `Failed to create new replica set "${draft.metadata.name}": ${wordsOf(error)}`;
    this.#events.record(deployment, { type: "Warning", reason: "ReplicaSetCreateError", message });
    const finding = { status: "False", reason: "ReplicaSetCreateError", message };
    return { family, ...(hasDeadline(deployment) ? { finding } : {}), error };
  }

  async #resize(family: Family, steps: readonly Resize[]): Promise<Family> {
    const sized = sizeAnnotations(family);
    const written = new Map<string, ReplicaSet>();
    for (const { replicaSet, to } of steps) {
      const from = sizeOf(replicaSet);
      const had = replicaSet.metadata.annotations ?? {};
      const isAnnotated = Object.entries(sized).every(([key, value]) => had[key] === value);
      if ((from === to && isAnnotated) || replicaSet.spec === undefined) continue;
      const annotations = { ...had, ...sized };
      const next = { ...replicaSet, metadata: { ...replicaSet.metadata, annotations } };
      const stored = await this.#write(family.deployment, {
        ...next,
        spec: { ...replicaSet.spec, replicas: to },
      });
      written.set(replicaSet.metadata.name, stored);
      if (from !== to) this.#noteScale(family.deployment, stored, from, to);
    }
    const current = (set: ReplicaSet) => written.get(set.metadata.name) ?? set;
    return { ...family, newest: family.newest && current(family.newest), old: family.old.map(current) };
  }

  async #write(deployment: Deployment, replicaSet: ReplicaSet): Promise<ReplicaSet> {
    const stored = await this.#context.client.replace(REPLICA_SETS, replicaSet);
    this.#ledger.created(keyOf(deployment), stored);
    return stored;
  }

  #noteScale(deployment: Deployment, { metadata }: ReplicaSet, from: number, to: number): void {
    if (from === to) return;
    const message = `Scaled ${to > from ? "up" : "down"} replica set ${metadata.name} from ${from} to ${to}`;
    this.#events.record(deployment, { type: "Normal", reason: "ScalingReplicaSet", message });
  }

  async #cleanUp(family: Family): Promise<void> {
    for (const { metadata } of planCleanUp(family))
      await this.#context.client.delete(REPLICA_SETS, metadata, metadata.uid ? { uid: metadata.uid } : {});
  }

  async #refuse(deployment: Deployment): Promise<undefined> {
    const message = "This deployment is selecting all pods. A non-empty selector is required.";
    this.#events.record(deployment, { type: "Warning", reason: "SelectingAll", message });
    const observedGeneration = deployment.metadata.generation;
    if (deployment.status?.observedGeneration === observedGeneration) return;
    const status = { ...deployment.status, observedGeneration };
    await this.#context.client.replace(DEPLOYMENTS, { ...deployment, status }, { subresource: "status" });
  }

  async #report({ family, finding, collisionCount, isRollOut = false }: Round): Promise<number | undefined> {
    const { deployment, newest } = family;
    const now = this.#context.clock.now();
    const status = desiredStatus(family, { now, finding, collisionCount, isRollOut });
    const revision = newest === undefined ? undefined : String(revisionOf(newest));
    const isNumbered = revision === undefined || deployment.metadata.annotations?.[REVISION] === revision;
    if (status !== deployment.status || !isNumbered) {
      const annotations = {
        ...deployment.metadata.annotations,
        ...(revision ? { [REVISION]: revision } : {}),
      };
      const next = { ...deployment, metadata: { ...deployment.metadata, annotations }, status };
      const stored = await this.#context.client.replace(DEPLOYMENTS, next, { subresource: "status" });
      // Kubernetes takes annotations along with a status; a server that does not gets them separately.
      if (!isNumbered && stored.metadata.annotations?.[REVISION] !== revision)
        await this.#context.client.patch(
          DEPLOYMENTS,
          deployment.metadata,
          { metadata: { annotations: { [REVISION]: revision } } },
          { type: "merge" },
        );
    }
    return everyone(family).length === 0 ? undefined : deadlineMs(deployment, status, now);
  }
}
