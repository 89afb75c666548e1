import type { Container, EnvVar, Job, Pod, PodSpec } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { JOBS } from "#kube/resources";
import { podFromTemplate } from "../pods.ts";
import { parseTime } from "../time.ts";
import { judgeFailure } from "./failure-policy.ts";

/** Holds a pod until the Job has counted it. */
export const TRACKING = "batch.kubernetes.io/job-tracking";
const INDEX = "batch.kubernetes.io/job-completion-index";
const FAILURES = "batch.kubernetes.io/job-index-failure-count";
const IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count";
/** A generated name is this long at most before its five random characters. */
const LONGEST_PREFIX = 58;

export function isIndexed({ spec }: Job): boolean {
  return spec?.completionMode === "Indexed";
}

export function isTracked({ metadata }: Pod): boolean {
  return metadata.finalizers?.includes(TRACKING) ?? false;
}

export function uidOfPod({ metadata }: Pod): string {
  return metadata.uid ?? "";
}

/** The completion index of a pod; undefined when it has none that can be read. */
export function indexOf({ metadata }: Pod): number | undefined {
  const text = metadata.annotations?.[INDEX] ?? "";
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** Whether only pods that are really over are replaced, and not those that are still stopping. */
export function replacesOnlyFailed({ spec }: Job): boolean {
  return spec?.podReplacementPolicy === "Failed" || spec?.podFailurePolicy !== undefined;
}

/** A pod that is deleted before it is over failed, unless its Job waits for the end. */
export function hasFailed(job: Job, pod: Pod): boolean {
  const phase = pod.status?.phase;
  if (phase === "Failed") return true;
  return !replacesOnlyFailed(job) && isDeleting(pod) && phase !== "Succeeded";
}

/** How often pods of its index failed before this one. */
export function failuresBefore({ metadata }: Pod): { readonly counted: number; readonly ignored: number } {
  const read = (name: string) => {
    const text = metadata.annotations?.[name] ?? "";
    return /^\d{1,10}$/.test(text) && Number(text) <= 2 ** 31 - 1 ? Number(text) : 0;
  };
  return { counted: read(FAILURES), ignored: read(IGNORED_FAILURES) };
}

/** When a pod ended, as well as can be known, in milliseconds since the epoch. */
export function finishedAt(pod: Pod): number {
  const { containerStatuses = [], conditions = [] } = pod.status ?? {};
  const ends = containerStatuses.map(({ state }) => parseTime(state?.terminated?.finishedAt));
  if (ends.length > 0 && ends.every((end) => end > 0)) return Math.max(...ends);
  const unready = conditions.find(({ type, status }) => type === "Ready" && status === "False");
  if (unready?.lastTransitionTime) return parseTime(unready.lastTransitionTime);
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata;
  if (deletionTimestamp) return parseTime(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  return parseTime(creationTimestamp);
}

/** A pod of the Job. With an index, it knows its index by label, annotation, host name and environment, and, where failures
 *  count per index, how often its predecessors failed. */
export function draftPod(job: Job, index: number | undefined, replaced?: Pod): Pod {
  const pod = podFromTemplate(JOBS, job, job.spec?.template);
  const finalizers = [...new Set([...(pod.metadata.finalizers ?? []), TRACKING])];
  const metadata = { ...pod.metadata, finalizers };
  if (index === undefined || pod.spec === undefined) return { ...pod, metadata };
  const failures = job.spec?.backoffLimitPerIndex === undefined ? {} : failureCounts(job, replaced);
  return {
    metadata: {
      ...metadata,
      generateName: namePrefix(job.metadata.name, index),
      labels: { ...metadata.labels, [INDEX]: String(index) },
      annotations: { ...metadata.annotations, [INDEX]: String(index), ...failures },
    },
    spec: withIndex(pod.spec, `${job.metadata.name}-${index}`),
  };
}

function failureCounts(job: Job, replaced: Pod | undefined): Readonly<Record<string, string>> {
  if (replaced === undefined) return { [FAILURES]: "0" };
  const { counted, ignored } = failuresBefore(replaced);
  if (judgeFailure(job.spec?.podFailurePolicy, replaced).counts)
    return {
      [FAILURES]: String(counted + 1),
      ...(ignored > 0 ? { [IGNORED_FAILURES]: String(ignored) } : {}),
    };
  return { [FAILURES]: String(counted), [IGNORED_FAILURES]: String(ignored + 1) };
}

function namePrefix(name: string, index: number): string {
  const ending = `-${index}-`;
  return `${name.slice(0, LONGEST_PREFIX - ending.length)}${ending}`;
}

function withIndex(spec: PodSpec, hostname: string): PodSpec {
  const fieldPath = `metadata.labels['${INDEX}']`;
  const variable: EnvVar = { name: "JOB_COMPLETION_INDEX", valueFrom: { fieldRef: { fieldPath } } };
  const told = (container: Container): Container =>
    container.env?.some(({ name }) => name === variable.name)
      ? container
      : { ...container, env: [...(container.env ?? []), variable] };
  return {
    ...spec,
    hostname,
    containers: spec.containers.map(told),
    ...(spec.initContainers ? { initContainers: spec.initContainers.map(told) } : {}),
  };
}
