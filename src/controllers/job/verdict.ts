import type { Job, JobCondition, SuccessPolicy } from "#kube/generated/types";
import { formatTime, parseTime } from "../time.ts";
import type { Facts } from "./facts.ts";
import { judgeFailure } from "./failure-policy.ts";
import { Indexes } from "./indexes.ts";
import { hasFailed } from "./pods.ts";

/** How a Job ends. It is said twice: first as what it is heading for, and once its pods are gone as what it is. */
export interface Verdict {
  readonly type: "FailureTarget" | "SuccessCriteriaMet";
  readonly reason: string;
  readonly message: string;
}

export const COMPLETIONS_REACHED: Verdict = {
  type: "SuccessCriteriaMet",
  reason: "CompletionsReached",
  message: "Reached expected number of succeeded pods",
};

export function isSuspended({ spec }: Job): boolean {
  return spec?.suspend === true;
}

export function conditionOf(job: Job, type: string): JobCondition | undefined {
  return job.status?.conditions?.find((condition) => condition.type === type);
}

export function isFinished(job: Job): boolean {
  return ["Complete", "Failed"].some((type) => conditionOf(job, type)?.status === "True");
}

/** Whether the Job is to end now, the first reason counting. An end that was announced stays. */
export function verdictOf(facts: Facts, now: number): Verdict | undefined {
  return announced(facts.job) ?? failureOf(facts, now) ?? indexFailureOf(facts) ?? successOf(facts);
}

/** How long until the deadline; undefined when there is none to watch. */
export function deadlineMs({ spec, status }: Job, now: number): number | undefined {
  if (spec?.activeDeadlineSeconds === undefined || spec.suspend || status?.startTime === undefined)
    return undefined;
  return parseTime(status.startTime) + spec.activeDeadlineSeconds * 1000 - now;
}

/** The condition a verdict becomes once no pod is left. */
export function finalCondition({ type, reason, message }: Verdict, now: number): JobCondition {
  return condition(type === "FailureTarget" ? "Failed" : "Complete", "True", { reason, message }, now);
}

export function condition(
  type: string,
  status: "True" | "False",
  { reason, message }: { readonly reason: string; readonly message: string },
  now: number,
): JobCondition {
  const time = formatTime(now);
  return { type, status, lastProbeTime: time, lastTransitionTime: time, reason, message };
}

function announced(job: Job): Verdict | undefined {
  for (const type of ["SuccessCriteriaMet", "FailureTarget"] as const) {
    const found = conditionOf(job, type);
    if (found?.status === "True") return { type, reason: found.reason ?? "", message: found.message ?? "" };
  }
  return undefined;
}

function failureOf(facts: Facts, now: number): Verdict | undefined {
  const { job, pods } = facts;
  const policy = job.spec?.podFailurePolicy;
  for (const pod of policy === undefined ? [] : pods) {
    const why = hasFailed(job, pod) ? judgeFailure(policy, pod).failsJob : undefined;
    if (why !== undefined) return failure("PodFailurePolicy", why);
  }
  const limit = job.spec?.backoffLimit ?? 6;
  if (facts.failed > limit || restartedTooOften(facts, limit))
    return failure("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  if ((deadlineMs(job, now) ?? 1) <= 0)
    return failure("DeadlineExceeded", "Job was active longer than specified deadline");
  return undefined;
}

/** Where containers start again in place, each start is a failure. */
function restartedTooOften({ job, pods }: Facts, limit: number): boolean {
  if (job.spec?.template.spec?.restartPolicy !== "OnFailure") return false;
  const restarts = pods
    .filter(({ status }) => status?.phase === "Running" || status?.phase === "Pending")
    .flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
    .reduce((sum, { restartCount }) => sum + restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

function indexFailureOf({ job, indexes }: Facts): Verdict | undefined {
  if (indexes?.failed === undefined) return undefined;
  const { maxFailedIndexes, completions = 0 } = job.spec ?? {};
  const failed = indexes.failed.size;
  if (maxFailedIndexes !== undefined && failed > maxFailedIndexes)
    return failure(
      "MaxFailedIndexesExceeded",
      "Job has exceeded the specified maximal number of failed indexes",
    );
  if (failed > 0 && failed + indexes.succeeded.size >= completions)
    return failure("FailedIndexes", "Job has failed indexes");
  return undefined;
}

function successOf({ job, indexes }: Facts): Verdict | undefined {
  const policy = job.spec?.successPolicy;
  if (policy === undefined || indexes === undefined || indexes.succeeded.size === 0) return undefined;
  const rule = matchingRule(policy, indexes.succeeded, job.spec?.completions ?? 0);
  if (rule < 0) return undefined;
  const message = `Matched rules at index ${rule}`;
  return { type: "SuccessCriteriaMet", reason: "SuccessPolicy", message };
}

function matchingRule({ rules }: SuccessPolicy, succeeded: Indexes, completions: number): number {
  return rules.findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined)
      return succeededCount !== undefined && succeeded.size >= succeededCount;
    const wanted = Indexes.parse(succeededIndexes, completions);
    const shared = wanted.countShared(succeeded);
    return (
      wanted.size > 0 && (shared === wanted.size || shared >= (succeededCount ?? Number.POSITIVE_INFINITY))
    );
  });
}

function failure(reason: string, message: string): Verdict {
  return { type: "FailureTarget", reason, message };
}
