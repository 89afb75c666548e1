import { asError, Fault, isFault } from "#fault/fault";
import { isApiFault, wordsOf } from "#kube/api-fault";
import { PODS } from "#kube/resources";
import type { ControllerContext } from "../context.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { Notes } from "./notes.ts";
import type { PodInfo } from "./pod-info.ts";
import type { SchedulingQueue, Waiting } from "./queue/queue.ts";
import { settleVolumes } from "./volumes/settle.ts";
import type { Reservation, VolumeView } from "./volumes/volume-view.ts";

interface Parts {
  readonly cluster: ClusterView;
  readonly volumes: VolumeView;
  readonly queue: SchedulingQueue;
  readonly notes: Notes;
}

/** Makes decisions true: volumes first, then the binding. What fails is undone and tried again. */
export class Binder {
  readonly #context: ControllerContext;
  readonly #parts: Parts;

  constructor(context: ControllerContext, parts: Parts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Never rejects. The pod is assumed to be on the node from before the call. */
  async bind(waiting: Waiting, nodeName: string, promised: Reservation | undefined): Promise<void> {
    const { info } = waiting;
    const { volumes, notes } = this.#parts;
    try {
      if (promised) await this.#settle(info, promised);
      await this.#write(info, nodeName);
      notes.scheduled(info, nodeName);
    } catch (error) {
      if (this.#context.signal.aborted) return;
      if (!isFault(error)) throw error;
      this.#undo(waiting, nodeName, error);
    } finally {
      if (promised) volumes.release(promised);
    }
  }

  async #settle({ pod }: PodInfo, promised: Reservation): Promise<void> {
    await settleVolumes(this.#context, pod, promised);
    if (this.#parts.cluster.node(promised.nodeName) === undefined)
      throw new Fault("NodeGone", `node ${JSON.stringify(promised.nodeName)} not found`);
  }

  async #write(info: PodInfo, nodeName: string): Promise<void> {
    const { namespace, name } = info.pod.metadata;
    try {
      await this.#context.client.bind({ namespace, name, uid: info.uid }, nodeName);
    } catch (error) {
      if (isApiFault(error, "NotFound", "Conflict") || !(await this.#isBoundAnyway(info, nodeName)))
        throw error;
    }
  }

  /** An answer that was lost may have been a yes. */
  async #isBoundAnyway({ pod, uid }: PodInfo, nodeName: string): Promise<boolean> {
    try {
      const live = await this.#context.client.get(PODS, pod.metadata);
      return live.metadata.uid === uid && live.spec?.nodeName === nodeName;
    } catch {
      return false;
    }
  }

  #undo(waiting: Waiting, nodeName: string, error: Error): void {
    const { cluster, queue, notes } = this.#parts;
    const { info } = waiting;
    cluster.forget(info.uid);
    queue.hear({ type: "pod-gone", info });
    if (isApiFault(error, "NotFound")) return;
    // Usually placed by someone else, which the informer will show; if not, it is tried again.
    const isRace = isApiFault(error, "Conflict");
    this.#context.log[isRace ? "debug" : "warn"]("a pod was not bound; will try again", {
      pod: info.key,
      node: nodeName,
      error: asError(error),
    });
    queue.fail(waiting);
    if (!isRace) void notes.failed(info, { reason: "SchedulerError", message: wordsOf(error) });
  }
}
