import { explain } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import type { Change, Informer } from "#kube/informer";
import { admissionOf, hasAppArmor } from "../admission/admit.ts";
import { fromApi, isMirror, isStatic, mirroredUid } from "../admission/critical.ts";
import { allocatableOfNode, shortage } from "../admission/fits.ts";
import type { Refusal } from "../admission/refusal.ts";
import { isTerminal } from "../status/phase.ts";
import type { PodContext } from "./context.ts";
import { removeLeftovers } from "./leftovers.ts";
import type { PodFailure } from "./pod-report.ts";
import type { PendingResize } from "./resizes.ts";
import { PodWorker } from "./worker.ts";

const DOUBT_MS = 60_000;
const PREEMPTED: PodFailure = {
  reason: "Preempting",
  message: "Preempted in order to admit critical pod",
  disruption: { message: "Pod was preempted by Kubelet to accommodate a critical pod." },
};
const TIDY_MS = 60_000;

/** One worker for each pod (by uid) that the API assigns to this node or that still runs here. */
export class PodWorkers {
  readonly #context: PodContext;
  readonly #workers = new Map<string, PodWorker>();
  readonly #hasAppArmor = hasAppArmor();

  constructor(context: PodContext) {
    this.#context = context;
    const stop = context.runtime.subscribe((uid) => this.#workers.get(uid)?.wake());
    context.signal.addEventListener("abort", stop, { once: true });
  }

  /** Follows the informer, which has been filled, until aborted; oldest pods first. What belongs to no pod of the API is ended once all
   *  pods of files are known, too. */
  follow(pods: Informer<Pod>, { otherPodsKnown }: { otherPodsKnown: Promise<void> }): void {
    const { signal } = this.#context;
    void otherPodsKnown.then(() => this.#keepTidy(pods));
    const byAge = [...pods.list()].sort((a, b) => age(a) - age(b));
    for (const pod of byAge) if (!isMirror(pod)) this.#tell(fromApi(pod));
    const stop = pods.subscribe((change) => this.#onChange(change));
    signal.addEventListener("abort", stop, { once: true });
  }

  /** Takes what the node's files say now: what none of them says any more ends. */
  setStatics(pods: readonly Pod[]): void {
    const uids = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const worker of this.#workers.values())
      if (isStatic(worker.pod) && !uids.has(worker.uid)) worker.remove();
    for (const pod of pods) if (this.get(pod.metadata.uid ?? "") !== pod) this.#tell(pod);
  }

  wake(uids: readonly string[]): void {
    for (const uid of uids) this.#workers.get(uid)?.wake();
  }

  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake();
  }

  /** Ends the pod for good; resolves once nothing of it runs. */
  async evict(uid: string, why: PodFailure): Promise<void> {
    await this.#workers.get(uid)?.evict(why);
  }

  find(namespace: string, name: string): Pod | undefined {
    for (const { pod } of this.#workers.values())
      if (pod.metadata.namespace === namespace && pod.metadata.name === name) return pod;
    return undefined;
  }

  get(uid: string): Pod | undefined {
    return this.#workers.get(uid)?.pod;
  }

  /** Those of which something runs, or is to. */
  active(): readonly Pod[] {
    return [...this.#workers.values()].flatMap((worker) => (worker.isOver ? [] : [worker.pod]));
  }

  list(): readonly Pod[] {
    return [...this.#workers.values()].map(({ pod }) => pod);
  }

  #onChange(change: Change<Pod>): void {
    const shown = change.type === "removed" ? change.before : change.object;
    if (isMirror(shown)) {
      this.#context.status.renew(mirroredUid(shown));
      return;
    }
    if (change.type === "removed") {
      this.#workers.get(change.before.metadata.uid ?? "")?.remove();
      return;
    }
    // A pod deleted and made again between two lists keeps its name, not its uid.
    const before = change.type === "changed" ? change.before.metadata.uid : undefined;
    if (before !== undefined && before !== change.object.metadata.uid) this.#workers.get(before)?.remove();
    this.#tell(fromApi(change.object));
  }

  #tell(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    const standing = this.#workers.get(uid);
    if (standing) {
      standing.update(pod);
      return;
    }
    const { refusal, room } = this.#admit(pod);
    const worker = new PodWorker(pod, this.#context, {
      ...{
        refusal,
        mayStart: Promise.all([room, this.#predecessorsOf(pod)]),
        judge: (wanted) => this.#judge(wanted),
      },
    });
    this.#workers.set(uid, worker);
    void worker.run().finally(() => {
      if (!this.#context.signal.aborted) this.#workers.delete(uid);
    });
  }

  /** Resolves once nothing runs of what a file that has changed said before: there is only one of a name. */
  #predecessorsOf(pod: Pod): Promise<unknown> {
    const { namespace, name, uid } = pod.metadata;
    const others = [...this.#workers.values()].filter(
      (other) => other.uid !== uid && isStatic(other.pod) && other.pod.metadata.name === name,
    );
    const same = others.filter((other) => other.pod.metadata.namespace === namespace);
    return isStatic(pod) ? Promise.all(same.map(({ stopped }) => stopped)) : Promise.resolve();
  }

  /** Asked once for each pod in each life of the agent. What makes room for a critical one is told to end; `room` resolves once it has. */
  #admit(pod: Pod): { refusal: Refusal | undefined; room: Promise<unknown> } {
    const hasRoom = Promise.resolve();
    if (isTerminal(pod.status?.phase) || pod.metadata.deletionTimestamp)
      return { refusal: undefined, room: hasRoom };
    const { settings, node } = this.#context;
    const others = this.active();
    const pressures = this.#context.pressures();
    const { refusal, victims = [] } = admissionOf(pod, {
      ...{ ...settings, node: node(), others, pressures, hasAppArmor: this.#hasAppArmor },
    });
    const ends = victims.map(({ metadata }) => this.evict(metadata.uid ?? "", PREEMPTED));
    return { refusal, room: ends.length === 0 ? hasRoom : Promise.all(ends) };
  }

  /** Why a pod of this node cannot have what it now asks for. */
  #judge(pod: Pod): PendingResize | undefined {
    const { settings, node } = this.#context;
    const allocatable = allocatableOfNode(node(), settings.allocatable);
    const never = shortage(pod, [], { allocatable });
    if (never) return { reason: "Infeasible", message: asCapacity(never.message) };
    const { uid } = pod.metadata;
    const others = [...this.#workers.values()].filter((other) => !other.isOver && other.uid !== uid);
    const now = shortage(
      pod,
      others.map((other) => other.pod),
      { allocatable },
    );
    return now && { reason: "Deferred", message: now.message };
  }

  /** Ends what runs here and is not in the API's complete list, and takes away what is left of pods, now and then. A list without
   *  any pod may be a server that has lost its memory: that one is believed only if it stays so. */
  async #keepTidy(pods: Informer<Pod>): Promise<void> {
    const { runtime, clock, signal, log } = this.#context;
    const isUnclaimed = (uid: string) => !this.#workers.has(uid);
    if (pods.list().length === 0 && runtime.podUids().some(isUnclaimed)) {
      log.warn("the API lists no pod for this node, but some run here; they end if that stays so");
      await clock.sleep(DOUBT_MS, { signal }).catch(() => undefined);
      if (signal.aborted) return;
    }
    const known = new Set(pods.list().map(({ metadata }) => metadata.uid ?? ""));
    const orphans = runtime.podUids().filter((uid) => !known.has(uid) && !this.#workers.has(uid));
    await Promise.all(orphans.map((uid) => this.#endOrphan(uid)));
    do {
      if (signal.aborted) return;
      removeLeftovers(this.#context, new Set([...this.#workers.keys(), ...runtime.podUids()]));
      await clock.sleep(TIDY_MS, { signal }).catch(() => undefined);
    } while (!signal.aborted);
  }

  async #endOrphan(uid: string): Promise<void> {
    const { runtime, log, volumes } = this.#context;
    try {
      const runs = runtime.runs(uid);
      await Promise.all(runs.map(({ id }) => runtime.stopContainer(id, { graceMs: 1_000 })));
      await runtime.removePod(uid);
      await this.#context.cgroups.remove(uid);
      volumes.remove(uid);
    } catch (error) {
      log.warn("a pod that the API no longer has could not be removed", { uid, error: explain(error) });
    }
  }
}

/** Nobody else's use is told of what would not fit alone. */
function asCapacity(message: string): string {
  return message.replace("enough resource", "enough capacity").replace(/ used: 0,/, "");
}

function age({ metadata }: Pod): number {
  return Date.parse(metadata.creationTimestamp ?? "") || 0;
}
