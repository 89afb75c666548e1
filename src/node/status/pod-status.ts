import type { ContainerStatus, PodStatus } from "#kube/generated/types";
import { type Disruption, podConditions } from "./conditions.ts";
import { containerStatus, endedStatus, seconds } from "./container-status.ts";
import { isTerminal, podPhase } from "./phase.ts";
import { podResources } from "./pod-resources.ts";
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
  /** Whether mounts can be read-only with all that is mounted below them. */
  readonly canReadOnlyBelow?: boolean;
  /** Why it had to go for others. */
  readonly disruption?: Disruption | undefined;
}

/** The status of a pod that was never let in: nothing of it is known but why. */
export function refusedStatus(
  { pod }: Pick<PodView, "pod">,
  { before, failure, now }: Pick<PodStatusContext, "before" | "failure" | "now">,
): PodStatus {
  const generation = pod.metadata.generation;
  return {
    phase: "Failed",
    ...failure,
    conditions: before.conditions ?? [],
    startTime: before.startTime ?? seconds(new Date(now).toISOString()),
    qosClass: before.qosClass ?? (pod.spec ? qosClass(pod.spec) : "BestEffort"),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

/** The whole status of a pod, as the node writes it. */
export function podStatus(view: PodView, context: PodStatusContext): PodStatus {
  const { before } = context;
  const computed = context.failure ? "Failed" : podPhase(view, context);
  const terminalBefore = before.phase === "Succeeded" || before.phase === "Failed" ? before.phase : undefined;
  // A terminal phase never changes, and none is told while something may still run.
  const runs = !context.isTerminating && view.containers.some(({ current }) => current && !current.exit);
  const held = isTerminal(computed) && runs && !terminalBefore ? "Running" : computed;
  const phase = terminalBefore ?? held;
  // A pod that ends before it ever ran is unready for the reasons it had.
  const hasNeverRun =
    context.isTerminating && !context.failure && podPhase(view, { isTerminating: false }) === "Pending";
  const now = seconds(new Date(context.now).toISOString());
  const ips = podIps(view, context);
  const generation = view.pod.metadata.generation;
  const { reason, message } = context.failure ?? (terminalBefore ? before : {});
  return {
    phase,
    conditions: podConditions(view, hasNeverRun ? "Pending" : phase, {
      ...{ before: before.conditions ?? [], now, disruption: context.disruption },
    }),
    ...(reason ? { reason } : {}),
    ...(message ? { message } : {}),
    ...(context.hostIps[0] ? { hostIP: context.hostIps[0] } : {}),
    hostIPs: context.hostIps.map((ip) => ({ ip })),
    ...(ips[0] ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) } : {}),
    startTime: before.startTime ?? now,
    qosClass: before.qosClass ?? (view.pod.spec ? qosClass(view.pod.spec) : "BestEffort"),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...statuses(view, context),
    ...podResources(view.pod, { phase }),
  };
}

/** The addresses of a sandbox that stands; those last told when it is gone, so that an ending pod keeps its own. */
function podIps({ sandbox, pod }: PodView, { hostIps, before }: PodStatusContext): readonly string[] {
  if (pod.spec?.hostNetwork) return sandbox ? hostIps : [];
  if (sandbox?.isReady) return sandbox.ips;
  return before.podIPs?.map(({ ip }) => ip) ?? [];
}

function statuses(
  { containers, pod }: PodView,
  { before, runtime, canReadOnlyBelow, isTerminating }: PodStatusContext,
): Pick<PodStatus, "initContainerStatuses" | "containerStatuses" | "ephemeralContainerStatuses"> {
  const hasInitContainers = (pod.spec?.initContainers ?? []).length > 0;
  const of = (...kinds: readonly ContainerView["kind"][]) =>
    containers.filter(({ kind }) => kinds.includes(kind));
  const hasBegun = of("regular").some(({ current, last }) => current ?? last);
  const make = (views: readonly ContainerView[], old: readonly ContainerStatus[] | undefined) =>
    views.map((view) =>
      containerStatus(view, {
        ...{ runtime, canReadOnlyBelow },
        hasInitContainers,
        containerCount: containers.length,
        hasBegun,
        isDeleted: pod.metadata.deletionTimestamp !== undefined,
        before: old?.find(({ name }) => name === view.spec.name),
      }),
    );
  const inits = make(of("init", "sidecar"), before.initContainerStatuses);
  const regular = make(of("regular"), before.containerStatuses);
  const ephemeral = make(of("ephemeral"), before.ephemeralContainerStatuses);
  const isInitialized = !hasInitContainers || hasBegun;
  // Of the init containers, those after the last that ever ran were not to run yet.
  const lastInit = inits.findLastIndex(({ containerID, state }) => containerID ?? state?.terminated);
  const ended = {
    inits: inits.map((status, i) => (i <= lastInit ? endedStatus(status) : status)),
    regular: isInitialized ? regular.map(endedStatus) : regular,
  };
  const shown = isTerminating ? ended : { inits, regular };
  return {
    ...(inits.length > 0 ? { initContainerStatuses: shown.inits } : {}),
    containerStatuses: [...shown.regular].sort(byName),
    ...(ephemeral.length > 0 ? { ephemeralContainerStatuses: [...ephemeral].sort(byName) } : {}),
  };
}

function byName(a: ContainerStatus, b: ContainerStatus): number {
  return a.name < b.name ? -1 : 1;
}
