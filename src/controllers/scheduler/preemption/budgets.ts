import type { PodDisruptionBudget } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import type { PodInfo } from "../pod-info.ts";

export interface Sorted {
  /** Those whose leaving some budget does not allow. */
  readonly violating: readonly PodInfo[];
  readonly others: readonly PodInfo[];
}

/** Sorts pods, most important first, by whether a budget would be broken if they all left in that order. */
export function sortByBudgets(pods: readonly PodInfo[], budgets: readonly PodDisruptionBudget[]): Sorted {
  const left = new Map(budgets.map((budget) => [budget, budget.status?.disruptionsAllowed ?? 0] as const));
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const info of pods) {
    let isViolated = false;
    for (const [budget, allowed] of left) {
      if (!protects(budget, info)) continue;
      left.set(budget, allowed - 1);
      isViolated ||= allowed - 1 < 0;
    }
    (isViolated ? violating : others).push(info);
  }
  return { violating, others };
}

/** A pod the API server has already counted out is no longer the budget's. */
function protects(
  { metadata, spec, status }: PodDisruptionBudget,
  { namespace, labels, pod }: PodInfo,
): boolean {
  if (metadata.namespace !== namespace || isEmptySelector(spec?.selector)) return false;
  return (
    matchesSelector(spec?.selector ?? {}, labels) && status?.disruptedPods?.[pod.metadata.name] === undefined
  );
}
