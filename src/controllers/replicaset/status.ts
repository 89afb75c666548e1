import { isDeepStrictEqual } from "node:util";
import type { Pod, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from "#kube/generated/types";
import { isAvailable, isReady } from "../pods.ts";
import { formatTime } from "../time.ts";

export interface ReplicaSetPods {
  readonly active: readonly Pod[];
  readonly terminating: number;
  /** What the last attempt to create or delete ran into. */
  readonly failure?:
    | { readonly reason: "FailedCreate" | "FailedDelete"; readonly message: string }
    | undefined;
}

/** The status that says what is; the very same object when the stored one already says it. */
export function desiredStatus(replicaSet: ReplicaSet, pods: ReplicaSetPods, now: number): ReplicaSetStatus {
  const stored = replicaSet.status ?? { replicas: 0 };
  const templateLabels = Object.entries(replicaSet.spec?.template?.metadata?.labels ?? {});
  const isFullyLabeled = ({ metadata }: Pod) =>
    templateLabels.every(([key, value]) => metadata.labels?.[key] === value);
  const ready = pods.active.filter(isReady);
  const minReadySeconds = replicaSet.spec?.minReadySeconds;
  const status: ReplicaSetStatus = {
    replicas: pods.active.length,
    fullyLabeledReplicas: pods.active.filter(isFullyLabeled).length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, minReadySeconds, now)).length,
    terminatingReplicas: pods.terminating,
    observedGeneration: replicaSet.metadata.generation,
    ...conditionsOf(stored, pods, now),
  };
  return isSameStatus(stored, status) ? stored : status;
}

/** Absent counters are zero. */
function isSameStatus(a: ReplicaSetStatus, b: ReplicaSetStatus): boolean {
  const numbers = (status: ReplicaSetStatus) => [
    status.replicas,
    status.fullyLabeledReplicas ?? 0,
    status.readyReplicas ?? 0,
    status.availableReplicas ?? 0,
    status.terminatingReplicas ?? 0,
    status.observedGeneration ?? 0,
  ];
  return (
    isDeepStrictEqual(numbers(a), numbers(b)) && isDeepStrictEqual(a.conditions ?? [], b.conditions ?? [])
  );
}

function conditionsOf(
  stored: ReplicaSetStatus,
  { failure }: ReplicaSetPods,
  now: number,
): { conditions?: readonly ReplicaSetCondition[] } {
  const others = (stored.conditions ?? []).filter(({ type }) => type !== "ReplicaFailure");
  if (failure === undefined) return others.length === 0 ? {} : { conditions: others };
  const old = stored.conditions?.find(({ type }) => type === "ReplicaFailure");
  if (old?.reason === failure.reason) return { conditions: stored.conditions ?? [] };
  const lastTransitionTime = formatTime(now);
  return {
    conditions: [...others, { type: "ReplicaFailure", status: "True", lastTransitionTime, ...failure }],
  };
}
