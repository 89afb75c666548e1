import type { Condition, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { resolveCount } from "../int-or-string.ts";
import { isReady } from "../pods.ts";
import { formatTime, parseTime } from "../time.ts";

/** How long an evicted pod may take to be deleted before it counts again. */
export const DELETION_TIMEOUT_MS = 120_000;

/** How many pods there should be, and how many of them healthy. */
export interface Expectation {
  readonly expectedPods: number;
  readonly desiredHealthy: number;
}

/** Whether the budget counts the pods its owners ask for, not those that are there. */
export function needsScale({ spec }: PodDisruptionBudget): boolean {
  return spec?.maxUnavailable !== undefined || typeof spec?.minAvailable === "string";
}

/** @param expectedPods what the pods' owners ask for, or (with a whole minAvailable) how many pods there are */
export function expectationOf({ spec }: PodDisruptionBudget, expectedPods: number): Expectation {
  if (spec?.maxUnavailable !== undefined) {
    const most = resolveCount(spec.maxUnavailable, expectedPods, "up");
    return { expectedPods, desiredHealthy: Math.max(0, expectedPods - most) };
  }
  if (spec?.minAvailable === undefined) return { expectedPods: 0, desiredHealthy: 0 };
  return { expectedPods, desiredHealthy: resolveCount(spec.minAvailable, expectedPods, "up") };
}

/** Evictions that were allowed and whose pods are not gone yet. */
export interface Disruptions {
  readonly disruptedPods: Readonly<Record<string, string>>;
  /** Pods that were to be deleted long ago, and are still there. */
  readonly overdue: readonly Pod[];
  /** When the next one becomes overdue. */
  readonly recheckMs: number | undefined;
}

export function disruptionsOf(budget: PodDisruptionBudget, pods: readonly Pod[], now: number): Disruptions {
  const disruptedPods: Record<string, string> = {};
  const overdue: Pod[] = [];
  let recheckMs: number | undefined;
  for (const pod of pods) {
    const since = budget.status?.disruptedPods?.[pod.metadata.name];
    if (since === undefined || isDeleting(pod)) continue;
    const leftMs = parseTime(since) + DELETION_TIMEOUT_MS - now;
    if (leftMs <= 0) overdue.push(pod);
    else {
      disruptedPods[pod.metadata.name] = since;
      recheckMs = Math.min(recheckMs ?? leftMs, leftMs);
    }
  }
  return { disruptedPods, overdue, recheckMs };
}

/** The status that pods, expectation and evictions under way make. */
export function budgetStatus(
  { metadata, status }: PodDisruptionBudget,
  { expectedPods, desiredHealthy }: Expectation,
  disruptedPods: Disruptions["disruptedPods"],
  { pods, now }: { readonly pods: readonly Pod[]; readonly now: number },
): PodDisruptionBudgetStatus {
  const currentHealthy = pods.filter(
    (pod) => isReady(pod) && !isDeleting(pod) && disruptedPods[pod.metadata.name] === undefined,
  ).length;
  // Nothing is allowed while nothing is expected: the first pods may appear before the next look.
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const generation = metadata.generation ?? 0;
  const isEnough = disruptionsAllowed > 0;
  return {
    currentHealthy,
    desiredHealthy,
    expectedPods,
    disruptionsAllowed,
    ...(Object.keys(disruptedPods).length > 0 ? { disruptedPods } : {}),
    observedGeneration: generation,
    conditions: withAllowance(
      status?.conditions,
      {
        status: isEnough ? "True" : "False",
        reason: isEnough ? "SufficientPods" : "InsufficientPods",
        message: "",
        observedGeneration: generation,
      },
      now,
    ),
  };
}

/** What stands when the numbers cannot be worked out: nothing may be evicted. */
export function failedStatus(
  { status }: PodDisruptionBudget,
  why: string,
  now: number,
): PodDisruptionBudgetStatus {
  return {
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    ...status,
    disruptionsAllowed: 0,
    conditions: withAllowance(
      status?.conditions,
      {
        status: "False",
        reason: "SyncFailed",
        message: why,
        observedGeneration: status?.observedGeneration ?? 0,
      },
      now,
    ),
  };
}

function withAllowance(
  stored: readonly Condition[] | undefined,
  now: Pick<Condition, "status" | "reason" | "message" | "observedGeneration">,
  ms: number,
): readonly Condition[] {
  const type = "DisruptionAllowed";
  const old = stored?.find((condition) => condition.type === type);
  const lastTransitionTime = old?.status === now.status ? old.lastTransitionTime : formatTime(ms);
  const others = (stored ?? []).filter((condition) => condition.type !== type);
  return [...others, { type, ...now, lastTransitionTime }];
}
