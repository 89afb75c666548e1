import { isDeepStrictEqual } from "node:util";
import { asError } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { LabelSelector, Node, Pod } from "#kube/generated/types";
import type { Change } from "#kube/informer";
import { matchesSelector } from "#kube/label-selector";
import { keyOf } from "#kube/object";
import { controllerOf, isDeleting, uidOf } from "#kube/owner";
import { PODS } from "#kube/resources";
import { Backoff } from "#life/backoff";
import { ticks } from "#life/clock";
import { type ControllerContext, recorderFor } from "../context.ts";
import { BY_NAMESPACE } from "../informers.ts";
import { isFinished } from "../pods.ts";
import { formatTime } from "../time.ts";
import { ClusterView } from "./cluster-view.ts";
import { decide } from "./decide.ts";
import { Line } from "./line.ts";

const OWN_NAME = "default-scheduler";
const FLUSH_MS = 300_000;
const BIND_BACKOFF = { firstMs: 50, maxMs: 10_000 };
/** Other work of the process gets a turn after this many decisions in a row. */
const TURN = 32;

/** Gives every pod without a node one, as soon as one fits. */
export function runScheduler(context: ControllerContext): Promise<void> {
  return new Scheduler(context).run();
}

class Scheduler {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #cluster = new ClusterView();
  readonly #line = new Line();
  readonly #backoffs = new Map<string, Backoff>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, OWN_NAME);
  }

  /** Ends when aborted. */
  async run(): Promise<void> {
    const { informers } = this.#context;
    informers.nodes.subscribe((change) => this.#nodeChanged(change));
    informers.pods.subscribe((change) => this.#podChanged(change));
    await Promise.all([this.#schedule(), this.#flush()]);
  }

  async #schedule(): Promise<void> {
    const { signal } = this.#context;
    for (let turn = 1; !signal.aborted; turn++) {
      const key = this.#line.next();
      if (key === undefined) await this.#line.whenReady(signal);
      else this.#attempt(key);
      if (turn % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Whatever the news said, nobody waits for ever. */
  async #flush(): Promise<void> {
    const { clock, signal } = this.#context;
    for await (const _ of ticks(clock, FLUSH_MS, { signal })) this.#line.retryAll();
  }

  #nodeChanged(change: Change<Node>): void {
    if (change.type === "removed") this.#cluster.removeNode(change.before.metadata.name);
    else if (change.type === "added" || matters(change.before, change.object)) {
      this.#cluster.setNode(change.object);
      this.#line.hear("node");
    }
  }

  #podChanged(change: Change<Pod>): void {
    const pod = change.type === "removed" ? change.before : change.object;
    const uid = uidOf(pod);
    if (change.type === "removed" || isFinished(pod)) {
      this.#line.remove(change.key);
      this.#backoffs.delete(change.key);
      this.#cluster.removePod(uid);
      if (pod.spec?.nodeName) this.#line.hear("pod-gone");
      return;
    }
    this.#cluster.setPod(pod);
    if (pod.spec?.nodeName) {
      this.#line.remove(change.key);
      const isNews =
        change.type === "added" || !change.before.spec?.nodeName || relabeled(change.before, pod);
      if (isNews) this.#line.hear("pod-placed");
      return;
    }
    const isNew = change.type === "added" || !isDeepStrictEqual(change.before.spec, pod.spec);
    const isRelabeled = change.type === "changed" && relabeled(change.before, pod);
    if (isMine(pod) && (isNew || isRelabeled) && !this.#cluster.isAssumed(uid))
      this.#line.add(change.key, pod.spec?.priority ?? 0);
  }

  #attempt(key: string): void {
    const { informers, random } = this.#context;
    const pod = informers.pods.get(key);
    if (pod === undefined || pod.spec?.nodeName || !isMine(pod) || this.#cluster.isAssumed(uidOf(pod)))
      return;
    if (isDeleting(pod)) return;
    const decision = decide(pod, this.#cluster, {
      group: this.#groupOf(pod),
      namespaceLabels: (name) => informers.namespaces.get(name)?.metadata.labels,
      random,
    });
    if (decision.kind === "node") {
      this.#cluster.assume(pod, decision.nodeName);
      void this.#bind(key, pod, decision.nodeName);
    } else {
      this.#line.park(key, pod.spec?.priority ?? 0, decision.plugins);
      this.#events.record(pod, { type: "Warning", reason: "FailedScheduling", message: decision.message });
      void this.#noteUnschedulable(pod, decision.message);
    }
  }

  async #bind(key: string, pod: Pod, nodeName: string): Promise<void> {
    const { client, log, signal } = this.#context;
    const { namespace, name } = pod.metadata;
    try {
      await client.bind({ namespace, name, uid: uidOf(pod) }, nodeName);
      this.#backoffs.delete(key);
      const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
      this.#events.record(pod, { type: "Normal", reason: "Scheduled", message });
    } catch (error) {
      this.#cluster.forget(pod);
      this.#line.hear("pod-gone");
      if (signal.aborted || isApiFault(error, "NotFound")) return;
      // Usually placed by someone else, which the informer will show; if not, it is tried again.
      const isRace = isApiFault(error, "Conflict");
      log[isRace ? "debug" : "warn"]("a pod was not bound; will try again", {
        pod: key,
        node: nodeName,
        error,
      });
      await this.#later(key, pod.spec?.priority ?? 0);
    }
  }

  async #later(key: string, priority: number): Promise<void> {
    const { clock, signal } = this.#context;
    const backoff = this.#backoffs.get(key) ?? new Backoff(BIND_BACKOFF);
    this.#backoffs.set(key, backoff);
    try {
      await clock.sleep(backoff.nextMs(), { signal });
      this.#line.add(key, priority);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #noteUnschedulable(pod: Pod, message: string): Promise<void> {
    const { client, clock, log, signal } = this.#context;
    const old = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
    if (old?.status === "False" && old.message === message) return;
    const since = old?.status === "False" ? old.lastTransitionTime : formatTime(clock.now());
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastTransitionTime: since,
    };
    const patch = { metadata: { uid: pod.metadata.uid }, status: { conditions: [condition] } };
    try {
      await client.patch(PODS, pod.metadata, patch, { type: "strategic", subresource: "status" });
    } catch (error) {
      if (signal.aborted || isApiFault(error, "NotFound", "Conflict")) return;
      log.debug("a pod's condition was not written", { pod: keyOf(pod), error: asError(error) });
    }
  }

  /** What the pod's Services and its ReplicaSet select: the pods it should be kept apart from. */
  #groupOf(pod: Pod): LabelSelector | undefined {
    const { services, replicaSets } = this.#context.informers;
    const { namespace = "", labels } = pod.metadata;
    let matchLabels: Record<string, string> = {};
    for (const { spec } of services.byIndex(BY_NAMESPACE, namespace)) {
      const selector = spec?.selector ?? {};
      if (Object.keys(selector).length > 0 && matchesSelector({ matchLabels: selector }, labels))
        matchLabels = { ...matchLabels, ...selector };
    }
    const owner = controllerOf(pod);
    const set = owner?.kind === "ReplicaSet" ? replicaSets.get(`${namespace}/${owner.name}`) : undefined;
    const selector = set?.spec?.selector;
    return {
      matchLabels: { ...matchLabels, ...selector?.matchLabels },
      ...(selector?.matchExpressions ? { matchExpressions: selector.matchExpressions } : {}),
    };
  }
}

function isMine({ spec }: Pod): boolean {
  return (spec?.schedulerName || OWN_NAME) === OWN_NAME && (spec?.schedulingGates ?? []).length === 0;
}

/** Heartbeats change nodes all the time; only this much of one matters here. */
function matters(before: Node, after: Node): boolean {
  const view = ({ metadata, spec, status }: Node) => [
    metadata.labels ?? {},
    spec?.taints ?? [],
    spec?.unschedulable ?? false,
    status?.allocatable ?? {},
  ];
  return !isDeepStrictEqual(view(before), view(after));
}

function relabeled(before: Pod, after: Pod): boolean {
  return !isDeepStrictEqual(before.metadata.labels ?? {}, after.metadata.labels ?? {});
}
