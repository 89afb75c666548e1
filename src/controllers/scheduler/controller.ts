import { isDeepStrictEqual } from "node:util";
import type { Namespace, Node, Pod } from "#kube/generated/types";
import type { Change } from "#kube/informer";
import { ticks } from "#life/clock";
import type { ControllerContext } from "../context.ts";
import { isFinished } from "../pods.ts";
import { Binder } from "./binder.ts";
import { ClusterView } from "./cluster-view.ts";
import { type DecideOptions, decide, type NoNode } from "./decide.ts";
import { Groups } from "./group.ts";
import { Nominations } from "./nominations.ts";
import { Notes } from "./notes.ts";
import { type PodInfo, podInfoOf } from "./pod-info.ts";
import { Evictor } from "./preemption/evictor.ts";
import { type Preemption, planPreemption } from "./preemption/preempt.ts";
import { SchedulingQueue, type Waiting } from "./queue/queue.ts";
import { type InformedSource, informedSource } from "./volumes/informed-source.ts";
import { VolumeView } from "./volumes/volume-view.ts";

const OWN_NAME = "default-scheduler";
const FLUSH_MS = 30_000;
/** Other work of the process gets its turn after this much deciding in a row. */
const TURN_MS = 8;

/** Gives every pod without a node one, as soon as one fits. */
export function runScheduler(context: ControllerContext): Promise<void> {
  return new Scheduler(context).run();
}

class Scheduler {
  readonly #context: ControllerContext;
  readonly #cluster = new ClusterView();
  readonly #nominations = new Nominations();
  readonly #storage: InformedSource;
  readonly #volumes: VolumeView;
  readonly #groups: Groups;
  readonly #queue: SchedulingQueue;
  readonly #notes: Notes;
  readonly #binder: Binder;
  readonly #evictor: Evictor;
  #start = 0;

  constructor(context: ControllerContext) {
    const { informers } = context;
    this.#context = context;
    this.#storage = informedSource(context);
    this.#volumes = new VolumeView(this.#storage, (claim) => this.#cluster.usersOf(claim));
    this.#groups = new Groups(informers);
    this.#queue = new SchedulingQueue({ clock: context.clock, namespaceLabels: this.#namespaceLabels });
    this.#notes = new Notes(context, OWN_NAME);
    this.#evictor = new Evictor(context, this.#notes, OWN_NAME);
    this.#binder = new Binder(context, {
      cluster: this.#cluster,
      volumes: this.#volumes,
      queue: this.#queue,
      notes: this.#notes,
    });
  }

  /** Ends when aborted. */
  async run(): Promise<void> {
    const { informers, signal } = this.#context;
    try {
      await this.#storage.synced;
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    informers.nodes.subscribe((change) => this.#nodeChanged(change));
    informers.pods.subscribe((change) => this.#podChanged(change));
    informers.namespaces.subscribe((change) => this.#namespaceChanged(change));
    informers.claims.subscribe((change) => {
      if (change.type !== "removed") this.#queue.hear({ type: "claim", claim: change.object });
    });
    informers.persistentVolumes.subscribe(() => this.#queue.hear({ type: "volume" }));
    informers.storageClasses.subscribe(() => this.#queue.hear({ type: "storage-class" }));
    this.#storage.subscribe((nodeName) => this.#queue.hear({ type: "csi-node", nodeName }));
    await Promise.all([this.#schedule(), this.#flush()]);
  }

  async #schedule(): Promise<void> {
    const { signal } = this.#context;
    let since = performance.now();
    while (!signal.aborted) {
      const waiting = this.#queue.next();
      if (waiting !== undefined) this.#attempt(waiting);
      else await this.#queue.whenReady(signal);
      if (waiting !== undefined && performance.now() - since < TURN_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
    }
  }

  async #flush(): Promise<void> {
    const { clock, signal } = this.#context;
    for await (const _ of ticks(clock, FLUSH_MS, { signal })) this.#queue.flush();
  }

  readonly #namespaceLabels = (name: string) => this.#context.informers.namespaces.get(name)?.metadata.labels;

  #namespaceChanged(change: Change<Namespace>): void {
    const labels = change.type === "removed" ? undefined : change.object.metadata.labels;
    if (change.type === "changed" && isDeepStrictEqual(labels, change.before.metadata.labels)) return;
    this.#cluster.index.forgetAnswers();
    this.#queue.hear({ type: "namespace" });
  }

  #nodeChanged(change: Change<Node>): void {
    if (change.type === "removed") {
      this.#cluster.removeNode(change.before.metadata.name);
      return;
    }
    const node = change.object;
    if (change.type === "changed" && !matters(change.before, node)) return;
    this.#cluster.setNode(node);
    this.#queue.hear(
      change.type === "added"
        ? { type: "node-added", node }
        : { type: "node-changed", before: change.before, node },
    );
  }

  #podChanged(change: Change<Pod>): void {
    const pod = change.type === "removed" ? change.before : change.object;
    const info = podInfoOf(pod);
    if (change.type === "removed" || isFinished(pod)) this.#podGone(info);
    else if (pod.spec?.nodeName) this.#podPlaced(info);
    else this.#podUnplaced(info, change.type === "changed" ? change.before : undefined);
  }

  #podGone(info: PodInfo): void {
    const { uid } = info;
    const wasPlaced = this.#cluster.pod(uid) !== undefined;
    this.#queue.remove(uid);
    this.#nominations.drop(uid);
    this.#evictor.forget(uid);
    this.#cluster.removePod(uid);
    if (wasPlaced) this.#queue.hear({ type: "pod-gone", info });
  }

  #podPlaced(info: PodInfo): void {
    const before = this.#cluster.pod(info.uid);
    this.#queue.remove(info.uid);
    this.#nominations.drop(info.uid);
    this.#cluster.setPod(info);
    // An assumed pod was news when it was assumed.
    if (before === undefined) this.#queue.hear({ type: "pod-placed", info });
    else if (before.likeness !== info.likeness || !isDeepStrictEqual(before.requests, info.requests))
      this.#queue.hear({ type: "pod-changed", before, info });
  }

  #podUnplaced(info: PodInfo, before: Pod | undefined): void {
    if (!isMine(info.pod)) return;
    this.#cluster.setPod(info);
    const nominated = info.pod.status?.nominatedNodeName ?? "";
    const isAssumed = this.#cluster.isAssumed(info.uid);
    if (!isAssumed && (before === undefined || nominated !== (before.status?.nominatedNodeName ?? "")))
      this.#nominations.set(info, nominated);
    const isNews =
      before === undefined ||
      !isDeepStrictEqual(before.spec, info.pod.spec) ||
      !isDeepStrictEqual(before.metadata.labels, info.pod.metadata.labels);
    if (isNews && !isAssumed) this.#queue.add(info);
    else this.#queue.refresh(info);
  }

  #attempt(waiting: Waiting): void {
    const { info } = waiting;
    if (info.isDeleting) {
      this.#queue.remove(info.uid);
      this.#notes.skipped(info);
      return;
    }
    const options = this.#options();
    const decision = decide(info, options);
    if (decision.kind === "none") {
      this.#giveUp(waiting, decision, options);
      return;
    }
    const { view, candidate, seen } = decision;
    this.#start += seen;
    const promised = candidate.claims && this.#volumes.reserve(candidate.claims, view);
    this.#nominations.drop(info.uid);
    this.#cluster.assume(info, view.name);
    this.#queue.hear({ type: "pod-placed", info });
    void this.#binder.bind(waiting, view.name, promised);
  }

  #giveUp(waiting: Waiting, failed: NoNode, options: DecideOptions): void {
    const { info } = waiting;
    const preemption = this.#planPreemption(info, failed, options);
    this.#queue.park(waiting, failed.plugins);
    if (preemption?.kind === "victims") {
      void this.#preempt(info, preemption, failed.message);
      return;
    }
    const isHopeless = preemption?.isHopeless ?? false;
    if (isHopeless) this.#nominations.drop(info.uid);
    const message = preemption ? `${failed.message} ${preemption.note}` : failed.message;
    void this.#notes.failed(info, {
      reason: "Unschedulable",
      message,
      ...(isHopeless ? { nominatedNodeName: "" } : {}),
    });
  }

  #planPreemption(info: PodInfo, failed: NoNode, options: DecideOptions): Preemption | undefined {
    if (this.#cluster.size === 0) return undefined;
    return planPreemption(info, failed, {
      ...options,
      budgets: this.#context.informers.budgets.list(),
      now: this.#context.clock.now(),
      isLeaving: (other) => this.#evictor.isLeaving(other),
    });
  }

  /** The place is the preemptor's only in so far as nobody less important gets it first. */
  async #preempt(
    info: PodInfo,
    { nodeName, victims }: Extract<Preemption, { kind: "victims" }>,
    message: string,
  ): Promise<void> {
    const { uid } = info;
    this.#queue.hold(uid);
    this.#nominations.set(info, nodeName);
    for (const other of this.#nominations.outranked(info, nodeName)) {
      this.#nominations.drop(other.uid);
      void this.#notes.withdraw(other);
      this.#queue.activate(other.uid);
    }
    const [areTold] = await Promise.all([
      this.#evictor.sendAway(victims, info, nodeName),
      this.#notes.failed(info, { reason: "Unschedulable", message, nominatedNodeName: nodeName }),
    ]);
    this.#queue.release(uid);
    if (!areTold) this.#queue.activate(uid);
  }

  #options(): DecideOptions {
    const { random } = this.#context;
    return {
      cluster: this.#cluster,
      volumes: this.#volumes,
      nominations: this.#nominations,
      namespaceLabels: this.#namespaceLabels,
      group: (info) => this.#groups.of(info),
      random,
      start: this.#start % Math.max(1, this.#cluster.size),
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
    status?.images ?? [],
  ];
  return !isDeepStrictEqual(view(before), view(after));
}
