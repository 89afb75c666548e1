import type { Job, Pod } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { isFinished } from "../pods.ts";
import { chooseVictims } from "../replicaset/victims.ts";
import { type Facts, indexesOf } from "./facts.ts";
import { patienceMs, type Streak } from "./patience.ts";
import { failuresBefore, finishedAt, indexOf, isIndexed, replacesOnlyFailed } from "./pods.ts";
import { isSuspended } from "./verdict.ts";

const BURST = 500;

/** What to do so that as many pods run as the Job wants now: never both at once. */
export type CrewPlan =
  | { readonly kind: "enough" }
  | { readonly kind: "dismiss"; readonly pods: readonly Pod[] }
  | { readonly kind: "wait"; readonly ms: number }
  /** Undefined for each pod that has no index. */
  | { readonly kind: "hire"; readonly indexes: readonly (number | undefined)[] };

export function planCrew(facts: Facts, streak: Streak, now: number): CrewPlan {
  const { job, active } = facts;
  if (isSuspended(job)) return active.length === 0 ? { kind: "enough" } : { kind: "dismiss", pods: active };
  const wanted = wantedActive(facts);
  const surplus = surplusPods(facts, Math.max(0, active.length - wanted), now);
  if (surplus.length > 0) return { kind: "dismiss", pods: surplus.slice(0, BURST) };
  const stopping = replacesOnlyFailed(job) ? facts.terminating : 0;
  const missing = wanted - stopping - active.length;
  return missing > 0 ? planHiring(facts, Math.min(missing, BURST), streak, now) : { kind: "enough" };
}

/** Without a number of completions, a first success is the signal to start no more. */
function wantedActive({ job, active, succeeded }: Facts): number {
  const { parallelism = 1, completions } = job.spec ?? {};
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(parallelism, completions - succeeded));
}

function planHiring(facts: Facts, count: number, streak: Streak, now: number): CrewPlan {
  const { job, indexes } = facts;
  const isPerIndex = job.spec?.backoffLimitPerIndex !== undefined;
  const waitMs = isPerIndex ? 0 : patienceMs(streak, now);
  if (waitMs > 0) return { kind: "wait", ms: waitMs };
  if (indexes === undefined) return { kind: "hire", indexes: Array.from({ length: count }, () => undefined) };
  const missing = lowestMissing(facts, count);
  const waits = missing.map((index) => [index, indexPatienceMs(indexes.heldBack.get(index), now)] as const);
  const due = waits.filter(([, ms]) => ms === 0).map(([index]) => index);
  if (due.length > 0) return { kind: "hire", indexes: due };
  return missing.length === 0
    ? { kind: "enough" }
    : { kind: "wait", ms: Math.min(...waits.map(([, ms]) => ms)) };
}

function lowestMissing({ job, pods, active, indexes }: Facts, count: number): readonly number[] {
  if (indexes === undefined) return [];
  const stopping = pods.filter((pod) => isDeleting(pod) && !isFinished(pod));
  const taken = replacesOnlyFailed(job) ? [...active, ...stopping] : active;
  const settled = indexes.failed === undefined ? indexes.succeeded : indexes.succeeded.with(indexes.failed);
  return settled.with(indexesOf(taken)).lowestMissing(count, job.spec?.completions ?? 0);
}

/** Each index has a patience of its own where failures count per index. */
function indexPatienceMs(replaced: Pod | undefined, now: number): number {
  if (replaced === undefined) return 0;
  const { counted, ignored } = failuresBefore(replaced);
  return patienceMs({ failures: counted + ignored + 1, lastAt: finishedAt(replaced) }, now);
}

/** Pods nobody needs, and those whose loss hurts least, `atLeast` in all. */
function surplusPods({ job, active }: Facts, atLeast: number, now: number): readonly Pod[] {
  const options = { siblings: new Map<string, number>(), now };
  const doubles = isIndexed(job) ? withoutPlace(job, active, options) : [];
  if (doubles.length >= atLeast) return doubles;
  const gone = new Set(doubles);
  const rest = active.filter((pod) => !gone.has(pod));
  return [...doubles, ...chooseVictims(rest, atLeast - doubles.length, options)];
}

/** Pods of an indexed Job without an index of it, and all but one of each index. */
function withoutPlace(job: Job, active: readonly Pod[], options: Parameters<typeof chooseVictims>[2]): Pod[] {
  const byIndex = new Map<number, Pod[]>();
  const lost: Pod[] = [];
  for (const pod of active) {
    const index = indexOf(pod);
    if (index === undefined || index >= (job.spec?.completions ?? 0)) lost.push(pod);
    else byIndex.set(index, [...(byIndex.get(index) ?? []), pod]);
  }
  for (const pods of byIndex.values()) lost.push(...chooseVictims(pods, pods.length - 1, options));
  return lost;
}
