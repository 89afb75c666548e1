import { asError } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import { PODS } from "#kube/resources";
import type { ControllerContext } from "../../context.ts";
import { formatTime } from "../../time.ts";
import type { Notes } from "../notes.ts";
import type { PodInfo } from "../pod-info.ts";

const REASON = "PreemptionByScheduler";

/** Sends victims of preemption away, and knows which are on their way. */
export class Evictor {
  readonly #context: ControllerContext;
  readonly #notes: Notes;
  readonly #schedulerName: string;
  /** Told to go, whether or not the API has shown it yet; by uid. */
  readonly #leaving = new Set<string>();

  constructor(context: ControllerContext, notes: Notes, schedulerName: string) {
    this.#context = context;
    this.#notes = notes;
    this.#schedulerName = schedulerName;
  }

  isLeaving({ uid, isDeleting, pod }: PodInfo): boolean {
    if (this.#leaving.has(uid)) return true;
    const target = pod.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
    return isDeleting && target?.status === "True" && target.reason === REASON;
  }

  forget(uid: string): void {
    this.#leaving.delete(uid);
  }

  /** Resolves with whether all victims were told; each takes the time it needs to end. */
  async sendAway(victims: readonly PodInfo[], preemptor: PodInfo, nodeName: string): Promise<boolean> {
    for (const { uid } of victims) this.#leaving.add(uid);
    const told = await Promise.all(victims.map((victim) => this.#sendAway(victim, preemptor, nodeName)));
    return told.every(Boolean);
  }

  async #sendAway(victim: PodInfo, preemptor: PodInfo, nodeName: string): Promise<boolean> {
    const { client, log, signal } = this.#context;
    try {
      if (!victim.isDeleting) {
        await this.#mark(victim);
        await client.delete(PODS, victim.pod.metadata, { uid: victim.uid });
      }
    } catch (error) {
      if (isApiFault(error, "NotFound", "Conflict")) return true;
      this.#leaving.delete(victim.uid);
      if (!signal.aborted)
        log.warn("a pod was not preempted; will try again", { pod: victim.key, error: asError(error) });
      return false;
    }
    this.#notes.preempted(victim, preemptor, nodeName);
    return true;
  }

  /** Says why before it happens, for those who count failures. */
  async #mark({ pod, uid }: PodInfo): Promise<void> {
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: REASON,
      message: `${this.#schedulerName}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: formatTime(this.#context.clock.now()),
      ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    };
    const patch = { metadata: { uid }, status: { conditions: [condition] } };
    await this.#context.client.patch(PODS, pod.metadata, patch, {
      type: "strategic",
      subresource: "status",
    });
  }
}
