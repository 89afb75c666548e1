import type { PodDisruptionBudget } from "#kube/generated/types";
import { refusalWithNominated } from "../decide.ts";
import { type Candidate, type Refusal, shift } from "../filters/candidate.ts";
import type { NodeView } from "../node-view.ts";
import type { Nominations } from "../nominations.ts";
import { type PodInfo, startOf } from "../pod-info.ts";
import { sortByBudgets } from "./budgets.ts";

export interface Victims {
  readonly view: NodeView;
  /** Most important first. */
  readonly pods: readonly PodInfo[];
  /** How many of them leave against a disruption budget. */
  readonly violations: number;
}

export interface VictimOptions {
  readonly nominations: Nominations;
  readonly budgets: readonly PodDisruptionBudget[];
  readonly now: number;
}

const NO_VICTIMS: Refusal = {
  plugin: "NodeResourcesFit",
  reasons: ["No preemption victims found for incoming pod"],
  isFinal: true,
};

/** The least important pods whose leaving makes the node fit; or why even all of them would not be enough. */
export function victimsOn(
  candidate: Candidate,
  view: NodeView,
  { nominations, budgets, now }: VictimOptions,
): Victims | Refusal {
  const { priority } = candidate.info;
  const lower = [...view.pods.values()].filter((other) => other.priority < priority);
  if (lower.length === 0) return NO_VICTIMS;
  const trial = view.copy();
  const leave = (info: PodInfo) => {
    trial.drop(info.uid);
    shift(candidate, info, view, -1);
  };
  const stay = (info: PodInfo) => {
    trial.put(info);
    shift(candidate, info, view, 1);
  };
  for (const info of lower) leave(info);
  const gone = new Set(lower);
  try {
    const refused = refusalWithNominated(candidate, trial, nominations);
    if (refused) return refused;
    const { violating, others } = sortByBudgets(lower.toSorted(byImportance(now)), budgets);
    let violations = 0;
    for (const info of [...violating, ...others]) {
      stay(info);
      gone.delete(info);
      if (refusalWithNominated(candidate, trial, nominations) === undefined) continue;
      leave(info);
      gone.add(info);
      if (violating.includes(info)) violations++;
    }
    return { view, pods: [...gone].toSorted(byImportance(now)), violations };
  } finally {
    for (const info of gone) shift(candidate, info, view, 1);
  }
}

/** Higher priority first, then longer running. */
export function byImportance(now: number): (a: PodInfo, b: PodInfo) => number {
  return (a, b) => b.priority - a.priority || startOf(a, now) - startOf(b, now);
}
