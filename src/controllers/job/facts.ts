import type { Job, Pod } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { isActive, isFinished } from "../pods.ts";
import { judgeFailure } from "./failure-policy.ts";
import { Indexes } from "./indexes.ts";
import { failuresBefore, finishedAt, hasFailed, indexOf, isIndexed, isTracked, uidOfPod } from "./pods.ts";

/** What a Job and its pods come to, before anything is done about it. */
export interface Facts {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly active: readonly Pod[];
  readonly terminating: number;
  /** Pods that ended and that the status does not know of yet. */
  readonly fresh: { readonly succeeded: readonly Pod[]; readonly failed: readonly Pod[] };
  readonly succeeded: number;
  readonly failed: number;
  readonly indexes?: IndexFacts;
}

export interface IndexFacts {
  /** As the status has them. */
  readonly before: Indexes;
  readonly succeeded: Indexes;
  /** Only where failures count per index. */
  readonly failed?: Indexes;
  /** Failed pods that stay until their replacement knows how often they failed. */
  readonly heldBack: ReadonlyMap<number, Pod>;
}

export function gatherFacts(job: Job, pods: readonly Pod[]): Facts {
  const active = pods.filter(isActive);
  const { succeeded = [], failed = [] } = job.status?.uncountedTerminatedPods ?? {};
  const known = new Set([...succeeded, ...failed]);
  const valid = pods.filter((pod) => isTracked(pod) && hasValidIndex(job, pod));
  const unknown = valid.filter((pod) => !known.has(uidOfPod(pod)));
  const fresh = {
    succeeded: unknown.filter(({ status }) => status?.phase === "Succeeded"),
    failed: unknown.filter((pod) => hasFailed(job, pod)),
  };
  const counting = fresh.failed.filter((pod) => judgeFailure(job.spec?.podFailurePolicy, pod).counts);
  const indexes = isIndexed(job) ? gatherIndexes(job, valid, active) : undefined;
  return {
    job,
    pods,
    active,
    terminating: pods.filter((pod) => isDeleting(pod) && !isFinished(pod)).length,
    fresh,
    succeeded:
      indexes?.succeeded.size ?? (job.status?.succeeded ?? 0) + fresh.succeeded.length + succeeded.length,
    failed: (job.status?.failed ?? 0) + counting.length + failed.length,
    ...(indexes === undefined ? {} : { indexes }),
  };
}

/** A pod of an indexed Job that has no index of it is nobody's success or failure. */
export function hasValidIndex(job: Job, pod: Pod): boolean {
  if (!isIndexed(job)) return true;
  const index = indexOf(pod);
  return index !== undefined && index < (job.spec?.completions ?? 0);
}

function gatherIndexes(job: Job, valid: readonly Pod[], active: readonly Pod[]): IndexFacts {
  const completions = job.spec?.completions ?? 0;
  const before = Indexes.parse(job.status?.completedIndexes, completions);
  const done = valid.filter(({ status }) => status?.phase === "Succeeded");
  const succeeded = before.with(indexesOf(done));
  const limit = job.spec?.backoffLimitPerIndex;
  if (limit === undefined) return { before, succeeded, heldBack: new Map() };
  const lost = valid.filter((pod) => endsIndex(job, pod, limit));
  const failed = Indexes.parse(job.status?.failedIndexes, completions).with(indexesOf(lost));
  const settled = succeeded.with(failed).with(indexesOf(active));
  return { before, succeeded, failed, heldBack: heldBack(job, valid, settled) };
}

export function indexesOf(pods: readonly Pod[]): Indexes {
  return Indexes.of(pods.map(indexOf).filter((index) => index !== undefined));
}

/** Whether the index of this pod is lost with it. */
function endsIndex(job: Job, pod: Pod, limit: number): boolean {
  if (!hasFailed(job, pod)) return false;
  const { action, counts } = judgeFailure(job.spec?.podFailurePolicy, pod);
  return action === "FailIndex" || (counts && failuresBefore(pod).counted >= limit);
}

/** The last failed pod of each index that will get another one. */
function heldBack(job: Job, valid: readonly Pod[], settled: Indexes): ReadonlyMap<number, Pod> {
  const last = new Map<number, Pod>();
  for (const pod of valid) {
    const index = indexOf(pod);
    if (index === undefined || !hasFailed(job, pod) || settled.has(index)) continue;
    const other = last.get(index);
    if (other === undefined || !isEarlier(pod, other)) last.set(index, pod);
  }
  return last;
}

function isEarlier(a: Pod, b: Pod): boolean {
  const failures = (pod: Pod) => failuresBefore(pod).counted + failuresBefore(pod).ignored;
  return failures(a) < failures(b) || finishedAt(a) < finishedAt(b);
}
