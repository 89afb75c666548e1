import { hostname } from "node:os";
import { asError } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import { openSeriesRecorder, type SeriesRecorder } from "#kube/event-series";
import { PODS } from "#kube/resources";
import type { ControllerContext } from "../context.ts";
import { formatTime } from "../time.ts";
import type { PodInfo } from "./pod-info.ts";
import { cutNote } from "./refusals.ts";

const FAILED = { type: "Warning", reason: "FailedScheduling", action: "Scheduling" } as const;

interface Failure {
  readonly reason: "Unschedulable" | "SchedulerError";
  readonly message: string;
  /** The node the pod waits for; empty for none, undefined to leave it as it is. */
  readonly nominatedNodeName?: string;
}

/** What the scheduler tells of its pods: events, and the condition that kubectl shows. */
export class Notes {
  readonly #context: ControllerContext;
  readonly #events: SeriesRecorder;

  constructor(context: ControllerContext, component: string) {
    this.#context = context;
    const { client, clock, log, signal } = context;
    const instance = `${component}-${hostname()}`;
    this.#events = openSeriesRecorder(client, { component, instance, clock, log, signal });
  }

  scheduled({ pod }: PodInfo, nodeName: string): void {
    const { namespace, name } = pod.metadata;
    const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
    this.#events.record(pod, { type: "Normal", reason: "Scheduled", action: "Binding", message });
  }

  preempted(victim: PodInfo, preemptor: PodInfo, nodeName: string): void {
    const message = `Preempted by pod ${preemptor.uid} on node ${nodeName}`;
    const related = preemptor.pod;
    const note = { type: "Normal", reason: "Preempted", action: "Preempting", message, related } as const;
    this.#events.record(victim.pod, note);
  }

  skipped({ pod }: PodInfo): void {
    const message = `skip schedule deleting pod: ${pod.metadata.namespace}/${pod.metadata.name}`;
    this.#events.record(pod, { ...FAILED, message });
  }

  /** Tells why the pod has no node. */
  async failed(info: PodInfo, failure: Failure): Promise<void> {
    const message = cutNote(failure.message);
    this.#events.record(info.pod, { ...FAILED, message });
    await this.#writeStatus(info, { ...failure, message });
  }

  /** The pod no longer waits for a node it was nominated to. */
  async withdraw(info: PodInfo): Promise<void> {
    await this.#patchStatus(info, { nominatedNodeName: null });
  }

  async #writeStatus(info: PodInfo, { reason, message, nominatedNodeName }: Failure): Promise<void> {
    const { metadata, status } = info.pod;
    const old = status?.conditions?.find(({ type }) => type === "PodScheduled");
    const isSame = old?.status === "False" && old.reason === reason && old.message === message;
    const isMoved =
      nominatedNodeName !== undefined && nominatedNodeName !== (status?.nominatedNodeName ?? "");
    if (isSame && !isMoved) return;
    const since = old?.status === "False" ? old.lastTransitionTime : formatTime(this.#context.clock.now());
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason,
      message,
      lastTransitionTime: since,
      ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
    };
    await this.#patchStatus(info, {
      conditions: [condition],
      ...(isMoved ? { nominatedNodeName: nominatedNodeName || null } : {}),
    });
  }

  async #patchStatus({ pod }: PodInfo, status: Readonly<Record<string, unknown>>): Promise<void> {
    const { client, log, signal } = this.#context;
    const { uid, namespace, name } = pod.metadata;
    try {
      const patch = { metadata: { uid }, status };
      await client.patch(PODS, pod.metadata, patch, { type: "strategic", subresource: "status" });
    } catch (error) {
      if (signal.aborted || isApiFault(error, "NotFound", "Conflict")) return;
      log.debug("a pod's status was not written", { pod: `${namespace}/${name}`, error: asError(error) });
    }
  }
}
