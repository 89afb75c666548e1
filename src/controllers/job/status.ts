import type { Job, JobCondition, JobStatus } from "#kube/generated/types";
import { canonicalJson } from "../template.ts";
import { formatTime } from "../time.ts";
import type { Facts } from "./facts.ts";
import { countReleased, type Tally } from "./tally.ts";
import { condition, conditionOf, finalCondition, isSuspended, type Verdict } from "./verdict.ts";

/** What is left of the crew after a round. */
export interface Headcount {
  readonly active: number;
  readonly ready: number;
  readonly terminating: number;
}

/** The status before any finalizer goes: what was counted, what will be, and what the Job is heading for. */
export function firstStatus(
  facts: Facts,
  round: {
    readonly tally: Tally;
    readonly heads: Headcount;
    readonly verdict: Verdict | undefined;
    readonly isHeld: (uid: string) => boolean;
    readonly now: number;
  },
): JobStatus {
  const { job, indexes } = facts;
  const { tally, heads, now } = round;
  const counted = countReleased(job.status ?? {}, round.isHeld);
  return tidy({
    ...counted,
    ...startTime(job, now),
    active: heads.active,
    ready: heads.ready,
    terminating: heads.terminating,
    uncountedTerminatedPods: tally.uncounted,
    ...(tally.completed === undefined
      ? {}
      : { completedIndexes: tally.completed.toString(), succeeded: tally.completed.size }),
    ...(indexes?.failed === undefined ? {} : { failedIndexes: indexes.failed.toString() }),
    conditions: withVerdict(suspension(job, round.verdict, now), round.verdict, now),
  });
}

/** The status once pods have been let go: they are numbers, and with the last of them the Job is over. */
export function lastStatus(
  status: JobStatus,
  end: {
    readonly isHeld: (uid: string) => boolean;
    /** Undefined while the Job goes on, or some of its pods are still to be counted. */
    readonly verdict: Verdict | undefined;
    readonly isIndexed: boolean;
    readonly now: number;
  },
): JobStatus {
  const { succeeded, ...counted } = countReleased(status, end.isHeld);
  // An indexed Job counts its successes by index.
  const next = { ...counted, succeeded: end.isIndexed ? status.succeeded : succeeded };
  const { succeeded: waiting = [], failed = [] } = next.uncountedTerminatedPods ?? {};
  const isOver = waiting.length + failed.length + (next.terminating ?? 0) === 0;
  if (end.verdict === undefined || !isOver) return tidy(next);
  const last = finalCondition(end.verdict, end.now);
  return tidy({
    ...next,
    conditions: [...(next.conditions ?? []), last],
    ...(last.type === "Complete" ? { completionTime: formatTime(end.now) } : {}),
  });
}

export function isSameStatus(a: JobStatus | undefined, b: JobStatus): boolean {
  return canonicalJson(tidy(a ?? {})) === canonicalJson(b);
}

/** The event for a change between suspended and not, if there is one. */
export function suspensionEvent(before: Job, after: JobStatus): "Suspended" | "Resumed" | undefined {
  const is = conditionOf({ ...before, status: after }, "Suspended");
  if (is === undefined || is.status === conditionOf(before, "Suspended")?.status) return undefined;
  return is.status === "True" ? "Suspended" : "Resumed";
}

/** Deadlines count from the last time the Job was let go on. */
function startTime(job: Job, now: number): Pick<JobStatus, "startTime"> {
  if (isSuspended(job)) return { startTime: undefined };
  const wasSuspended = conditionOf(job, "Suspended")?.status === "True";
  return wasSuspended || job.status?.startTime === undefined ? { startTime: formatTime(now) } : {};
}

function suspension(job: Job, verdict: Verdict | undefined, now: number): readonly JobCondition[] {
  const all = job.status?.conditions ?? [];
  const old = conditionOf(job, "Suspended");
  if (verdict !== undefined) return all;
  const wanted = isSuspended(job)
    ? condition("Suspended", "True", { reason: "JobSuspended", message: "Job suspended" }, now)
    : condition("Suspended", "False", { reason: "JobResumed", message: "Job resumed" }, now);
  if (old === undefined) return wanted.status === "True" ? [...all, wanted] : all;
  return old.status === wanted.status ? all : all.map((each) => (each === old ? wanted : each));
}

function withVerdict(
  conditions: readonly JobCondition[],
  verdict: Verdict | undefined,
  now: number,
): readonly JobCondition[] {
  if (verdict === undefined || conditions.some(({ type }) => type === verdict.type)) return conditions;
  return [...conditions, condition(verdict.type, "True", verdict, now)];
}

/** Numbers that are zero are left out, save those that are always told. */
function tidy({ active, succeeded, failed, conditions, ...status }: JobStatus): JobStatus {
  return {
    ...status,
    ...(active ? { active } : {}),
    ...(succeeded ? { succeeded } : {}),
    ...(failed ? { failed } : {}),
    ...(conditions?.length ? { conditions } : {}),
    ready: status.ready ?? 0,
    terminating: status.terminating ?? 0,
    uncountedTerminatedPods: tidyUids(status.uncountedTerminatedPods),
  };
}

function tidyUids(uids: JobStatus["uncountedTerminatedPods"]): JobStatus["uncountedTerminatedPods"] {
  return {
    ...(uids?.succeeded?.length ? { succeeded: uids.succeeded } : {}),
    ...(uids?.failed?.length ? { failed: uids.failed } : {}),
  };
}
