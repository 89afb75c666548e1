import type { JobStatus, Pod } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { type Facts, hasValidIndex } from "./facts.ts";
import { judgeFailure } from "./failure-policy.ts";
import { Indexes } from "./indexes.ts";
import { hasFailed, indexOf, isTracked, uidOfPod } from "./pods.ts";
import type { Verdict } from "./verdict.ts";

/** More uids than this do not belong in one status. */
const MOST_UNCOUNTED = 500;

/** Which pods are counted now: their uids go into the status before their finalizers go, so that none is lost and none is
 *  counted twice, whatever happens in between. */
export interface Tally {
  /** Pods to let go once the status is written. */
  readonly release: readonly Pod[];
  readonly uncounted: Uncounted;
  readonly completed?: Indexes;
  /** Whether pods were left for the next time. */
  readonly isFull: boolean;
}

export interface Uncounted {
  readonly succeeded: readonly string[];
  readonly failed: readonly string[];
}

export function tallyPods(facts: Facts, verdict: Verdict | undefined): Tally {
  const { job, indexes } = facts;
  const stored = job.status?.uncountedTerminatedPods ?? {};
  const held = new Set(facts.pods.filter(isTracked).map(uidOfPod));
  const succeeded = (stored.succeeded ?? []).filter((uid) => held.has(uid));
  const failed = (stored.failed ?? []).filter((uid) => held.has(uid));
  const known = { succeeded: new Set(succeeded), failed: new Set(failed) };
  const done: number[] = [];
  const release: Pod[] = [];
  for (const pod of inIndexOrder(facts)) {
    if (!isTracked(pod) || !isOver(facts, pod, verdict)) continue;
    if (done.length + succeeded.length + failed.length >= MOST_UNCOUNTED)
      return { release, uncounted: { succeeded, failed }, ...completed(facts, done), isFull: true };
    release.push(pod);
    const uid = uidOfPod(pod);
    const index = indexOf(pod);
    if (pod.status?.phase === "Succeeded" && !known.failed.has(uid)) {
      if (indexes === undefined) {
        if (!known.succeeded.has(uid)) succeeded.push(uid);
      } else if (index !== undefined && hasValidIndex(job, pod) && !indexes.before.has(index))
        done.push(index);
    } else if (countsAsFailed(facts, pod, verdict) && !known.failed.has(uid)) failed.push(uid);
  }
  return { release, uncounted: { succeeded, failed }, ...completed(facts, done), isFull: false };
}

/** The status after the pods with these uids have been let go: they are plain numbers now. */
export function countReleased(status: JobStatus, isHeld: (uid: string) => boolean): JobStatus {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const left = { succeeded: succeeded.filter(isHeld), failed: failed.filter(isHeld) };
  return {
    ...status,
    succeeded: (status.succeeded ?? 0) + succeeded.length - left.succeeded.length,
    failed: (status.failed ?? 0) + failed.length - left.failed.length,
    uncountedTerminatedPods: left,
  };
}

function completed({ indexes }: Facts, done: readonly number[]): { completed?: Indexes } {
  return indexes === undefined ? {} : { completed: indexes.before.with(Indexes.of(done)) };
}

/** A pod whose failure the next one has to know of stays until that one is there. */
function isOver({ job, indexes }: Facts, pod: Pod, verdict: Verdict | undefined): boolean {
  if (isDeleting(job) || verdict !== undefined || pod.status?.phase === "Succeeded") return true;
  if (!hasFailed(job, pod)) return false;
  const index = indexOf(pod);
  return index === undefined || indexes?.heldBack.get(index) !== pod;
}

/** When a Job fails, what still ran failed with it. */
function countsAsFailed({ job }: Facts, pod: Pod, verdict: Verdict | undefined): boolean {
  const isLost = hasFailed(job, pod) || verdict?.type === "FailureTarget";
  return isLost && hasValidIndex(job, pod) && judgeFailure(job.spec?.podFailurePolicy, pod).counts;
}

function inIndexOrder({ pods, indexes }: Facts): readonly Pod[] {
  if (indexes === undefined) return pods;
  return [...pods].sort((a, b) => (indexOf(a) ?? -1) - (indexOf(b) ?? -1));
}
