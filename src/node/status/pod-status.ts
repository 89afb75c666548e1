import type { ContainerStatus, PodStatus } from "#kube/generated/types";
import { podConditions } from "./conditions.ts";
import { containerStatus, seconds } from "./container-status.ts";
import { isTerminal, podPhase } from "./phase.ts";
import { qosClass } from "./qos.ts";
import type { ContainerView, PodView } from "./run-view.ts";

export interface PodStatusContext {
  /** The newest status known: what was computed last, or what the API holds. */
  readonly before: PodStatus;
  readonly runtime: string;
  readonly hostIps: readonly string[];
  readonly isTerminating: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Why the pod as a whole failed: eviction, deadline, admission. */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined;
}

/** The whole status of a pod, as the node writes it. */
export function podStatus(view: PodView, context: PodStatusContext): PodStatus {
  const { before } = context;
  const computed = context.failure ? "Failed" : podPhase(view, context);
  const terminalBefore = before.phase === "Succeeded" || before.phase === "Failed" ? before.phase : undefined;
  // A terminal phase never changes, and none is told while something may still run.
  const runs = view.containers.some(({ current }) => current && !current.exit);
  const held = isTerminal(computed) && runs && !terminalBefore ? "Running" : computed;
  const phase = terminalBefore ?? held;
  const now = seconds(new Date(context.now).toISOString());
  const ips = podIps(view, context);
  const generation = view.pod.metadata.generation;
  const { reason, message } = context.failure ?? (terminalBefore ? before : {});
  return {
    phase,
    conditions: podConditions(view, phase, { before: before.conditions ?? [], now }),
    ...(reason ? { reason } : {}),
    ...(message ? { message } : {}),
    ...(context.hostIps[0] ? { hostIP: context.hostIps[0] } : {}),
    hostIPs: context.hostIps.map((ip) => ({ ip })),
    ...(ips[0] ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) } : {}),
    startTime: before.startTime ?? now,
    qosClass: before.qosClass ?? (view.pod.spec ? qosClass(view.pod.spec) : "BestEffort"),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...statuses(view, context),
  };
}

/** The addresses of a sandbox that stands; those last told when it is gone, so that an ending pod keeps its own. */
function podIps({ sandbox, pod }: PodView, { hostIps, before }: PodStatusContext): readonly string[] {
  if (pod.spec?.hostNetwork) return sandbox ? hostIps : [];
  if (sandbox?.isReady) return sandbox.ips;
  return before.podIPs?.map(({ ip }) => ip) ?? [];
}

function statuses(
  { containers }: PodView,
  { before, runtime }: PodStatusContext,
): Pick<PodStatus, "initContainerStatuses" | "containerStatuses"> {
  const hasInitContainers = containers.some(({ kind }) => kind !== "regular");
  const make = (views: readonly ContainerView[], old: readonly ContainerStatus[] | undefined) =>
    views.map((view) =>
      containerStatus(view, {
        runtime,
        hasInitContainers,
        containerCount: containers.length,
        before: old?.find(({ name }) => name === view.spec.name),
      }),
    );
  const inits = make(
    containers.filter(({ kind }) => kind !== "regular"),
    before.initContainerStatuses,
  );
  const regular = make(
    containers.filter(({ kind }) => kind === "regular"),
    before.containerStatuses,
  );
  return {
    ...(inits.length > 0 ? { initContainerStatuses: inits } : {}),
    containerStatuses: regular.sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}
