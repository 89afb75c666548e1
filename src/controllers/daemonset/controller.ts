import { isDeepStrictEqual } from "node:util";
import type { ControllerRevision, DaemonSet, Node, Pod } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { controllerOf, isDeleting } from "#kube/owner";
import { CONTROLLER_REVISIONS, DAEMON_SETS, PODS } from "#kube/resources";
import { Backoff } from "#life/backoff";
import type { WorkQueue } from "#life/work-queue";
import { claimChildren, controllerKey } from "../claim.ts";
import { type ControllerContext, openQueue } from "../context.ts";
import { planHistory, writeHistory } from "../history.ts";
import { BY_NAMESPACE, candidatesOf } from "../informers.ts";
import { Ledger } from "../ledger.ts";
import { PodControl } from "../pod-control.ts";
import { nextAvailableMs } from "../pods.ts";
import { slowStart } from "../slow-start.ts";
import { draftPod, REVISION_LABEL } from "./eligibility.ts";
import { type DaemonPlan, type DaemonSnapshot, planDaemons } from "./plan.ts";
import { authorOf, hashOf, planCleanUp } from "./revisions.ts";
import { desiredStatus } from "./status.ts";

const BURST = 250;
const FINISHED_BACKOFF = { firstMs: 1_000, maxMs: 900_000 };

/** Keeps one pod of each DaemonSet on every node that wants one. */
export function runDaemonSets(context: ControllerContext): void {
  new DaemonSets(context).run();
}

class DaemonSets {
  readonly #context: ControllerContext;
  readonly #pods: PodControl;
  readonly #revisions: Ledger<ControllerRevision>;
  readonly #queue: WorkQueue<string>;
  /** When a pod that ended on a node may be replaced, so that one that always fails does not spin. */
  readonly #patience = new Map<string, { readonly backoff: Backoff; until: number }>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#pods = new PodControl(context, "daemonset-controller");
    this.#revisions = new Ledger(context.informers.revisions, context.clock);
    this.#queue = openQueue(context, "daemonset", { workers: 4, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { daemonSets, nodes, pods, revisions } = this.#context.informers;
    daemonSets.subscribe(({ key }) => this.#queue.add(key));
    nodes.subscribe((change) => {
      if (change.type === "changed" && isDeepStrictEqual(relevant(change.before), relevant(change.object)))
        return;
      for (const daemonSet of daemonSets.list()) this.#queue.add(keyOf(daemonSet));
    });
    pods.subscribe((change) => {
      if (change.type !== "removed") this.#podChanged(change.object);
      if (change.type !== "added") this.#podChanged(change.before);
    });
    revisions.subscribe((change) => {
      const owner = controllerKey(change.type === "removed" ? change.before : change.object, DAEMON_SETS);
      if (owner !== undefined) this.#queue.add(owner);
    });
  }

  #podChanged(pod: Pod): void {
    const owner = controllerKey(pod, DAEMON_SETS);
    if (owner !== undefined) this.#queue.add(owner);
    if (controllerOf(pod) !== undefined) return;
    const { namespace = "", labels } = pod.metadata;
    for (const daemonSet of this.#context.informers.daemonSets.byIndex(BY_NAMESPACE, namespace)) {
      const selector = daemonSet.spec?.selector ?? {};
      if (!isEmptySelector(selector) && matchesSelector(selector, labels)) this.#queue.add(keyOf(daemonSet));
    }
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers, client, clock } = this.#context;
    const daemonSet = informers.daemonSets.get(key);
    if (daemonSet === undefined) {
      this.#pods.ledger.forget(key);
      this.#revisions.forget(key);
      return undefined;
    }
    const selector = daemonSet.spec?.selector ?? {};
    if (isEmptySelector(selector)) return this.#refuse(daemonSet);
    if (isDeleting(daemonSet)) return undefined;
    if (!this.#revisions.isSettled(key)) return undefined;
    const own = { resource: DAEMON_SETS, parent: daemonSet, selector };
    // Asked before the pods are read: afterwards, a pod that came in between would be made again.
    const isSettled = this.#pods.ledger.isSettled(key);
    const candidates = candidatesOf(informers.pods, daemonSet);
    const pods = await claimChildren(client, own, { resource: PODS, candidates });
    const hash = await this.#revise(key, daemonSet, pods);
    const snapshot = { daemonSet, hash, nodes: informers.nodes.list(), pods, now: clock.now() };
    const againMs = isSettled ? await this.#carryOut(key, snapshot, planDaemons(snapshot)) : undefined;
    await this.#report(snapshot, isSettled);
    const availableMs = nextAvailableMs(pods, daemonSet.spec?.minReadySeconds, clock.now());
    return againMs ?? availableMs;
  }

  #refuse(daemonSet: DaemonSet): undefined {
    const message = "This daemon set is selecting all pods. A non-empty selector is required.";
    this.#pods.events.record(daemonSet, { type: "Warning", reason: "SelectingAll", message });
  }

  /** The hash of the revision that equals the template, which exists afterwards. */
  async #revise(key: string, daemonSet: DaemonSet, pods: readonly Pod[]): Promise<string> {
    const { client, informers } = this.#context;
    const own = {
      resource: DAEMON_SETS,
      parent: daemonSet,
      selector: daemonSet.spec?.selector ?? {},
    };
    const candidates = candidatesOf(informers.revisions, daemonSet);
    const history = await claimChildren(client, own, { resource: CONTROLLER_REVISIONS, candidates });
    const author = authorOf(daemonSet);
    const newest = await writeHistory(client, author, planHistory(author, history), {
      ledger: this.#revisions,
      onCollision: () => this.#countCollision(daemonSet),
    });
    const liveHashes = new Set(pods.flatMap(({ metadata }) => metadata.labels?.[REVISION_LABEL] ?? []));
    for (const revision of planCleanUp(daemonSet, history, { newest, liveHashes })) {
      await client.delete(CONTROLLER_REVISIONS, revision.metadata);
      this.#revisions.deleted(key, keyOf(revision), revision.metadata.uid);
    }
    return hashOf(newest);
  }

  async #countCollision(daemonSet: DaemonSet): Promise<void> {
    if (daemonSet.status === undefined) return;
    const collisionCount = (daemonSet.status.collisionCount ?? 0) + 1;
    const next = { ...daemonSet, status: { ...daemonSet.status, collisionCount } };
    await this.#context.client.replace(DAEMON_SETS, next, { subresource: "status" });
  }

  async #carryOut(key: string, snapshot: DaemonSnapshot, plan: DaemonPlan): Promise<number | undefined> {
    const { daemonSet, hash } = snapshot;
    const due: Pod[] = [];
    let againMs: number | undefined;
    for (const pod of plan.finished) {
      const waitMs = this.#patienceMs(daemonSet, pod);
      if (waitMs > 0) againMs = Math.min(againMs ?? waitMs, waitMs);
      else due.push(pod);
    }
    for (const pod of due) this.#noteFinished(daemonSet, pod);
    const nodes = plan.create.slice(0, BURST).values();
    await Promise.all([
      slowStart(Math.min(plan.create.length, BURST), async () => {
        const node = nodes.next().value;
        if (node !== undefined) await this.#pods.create(key, daemonSet, draftPod(daemonSet, node, hash));
      }),
      ...[...due, ...plan.delete].slice(0, BURST).map((pod) => this.#pods.delete(key, daemonSet, pod)),
    ]);
    return againMs;
  }

  /** How long a finished pod stays before it is replaced: longer each time on the same node. */
  #patienceMs(daemonSet: DaemonSet, pod: Pod): number {
    if (pod.status?.phase !== "Failed") return 0;
    const now = this.#context.clock.now();
    const { uid, generation } = daemonSet.metadata;
    const key = `${uid}/${generation}/${pod.spec?.nodeName ?? ""}`;
    const patience = this.#patience.get(key) ?? { backoff: new Backoff(FINISHED_BACKOFF), until: 0 };
    this.#patience.set(key, patience);
    for (const [old, { until }] of this.#patience)
      if (until + FINISHED_BACKOFF.maxMs < now && old !== key) this.#patience.delete(old);
    if (patience.until > now) return patience.until - now;
    patience.until = now + patience.backoff.nextMs();
    return 0;
  }

  #noteFinished(daemonSet: DaemonSet, pod: Pod): void {
    const where = `${keyOf(pod)} on node ${pod.spec?.nodeName ?? ""}`;
    const note =
      pod.status?.phase === "Failed"
        ? ({
            type: "Warning",
            reason: "FailedDaemonPod",
            message: `Found failed daemon pod ${where}, will try to kill it`,
          } as const)
        : ({
            type: "Normal",
            reason: "SucceededDaemonPod",
            message: `Found succeeded daemon pod ${where}, will try to delete it`,
          } as const);
    this.#pods.events.record(daemonSet, note);
  }

  async #report(snapshot: DaemonSnapshot, isSettled: boolean): Promise<void> {
    const status = desiredStatus(snapshot, isSettled);
    const { daemonSet } = snapshot;
    if (status === daemonSet.status) return;
    await this.#context.client.replace(DAEMON_SETS, { ...daemonSet, status }, { subresource: "status" });
  }
}

function relevant({ metadata, spec }: Node): unknown {
  return [metadata.labels ?? {}, spec?.taints ?? []];
}
