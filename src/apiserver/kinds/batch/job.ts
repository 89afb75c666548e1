import type { CronJob, Job } from "#kube/generated/types";
import { CRON_JOBS, JOBS } from "#kube/resources";
import { defaultTemplate } from "../apps/template.ts";
import { kindSpec } from "../base.ts";
import { sameJson } from "../field/same.ts";
import type { Draft, KindSpec } from "../kind.ts";
import { podWarnings } from "../pod/warnings.ts";
import { ageOf, shortDuration } from "../print/age.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { containerImages, containerNames, selectorText } from "../print/words.ts";
import { validateCronJob } from "./cron-job-validation.ts";
import { validateJob, validateJobStatus, validateJobUpdate } from "./job-validation.ts";

export const jobs: KindSpec<Job> = kindSpec<Job>({
  resource: JOBS,
  definition: "io.k8s.api.batch.v1.Job",
  categories: ["all"],
  hasStatus: true,
  generation: "spec",
  defaults: (draft) => {
    draft.spec ??= {};
    defaultJobSpec(draft.spec);
    defaultLabels(draft);
  },
  prepareCreate: (draft) => {
    draft.status = {};
    // labels that came from the template go on with it
    if (sameJson(draft.metadata.labels, draft.spec.template.metadata.labels)) delete draft.metadata.labels;
    labelPods(draft);
    defaultLabels(draft);
  },
  validate: validateJob,
  validateUpdate: validateJobUpdate,
  validatePart: (_part, job, stored) => validateJobStatus(job, stored),
  selectableFields: ({ status }) => ({ "status.successful": String(status?.succeeded ?? 0) }),
  warnings: ({ spec }, stored) => podWarnings("spec.template", spec?.template ?? {}, stored),
  ...printer<Job>([
    nameColumn,
    text("Status", statusText),
    text("Completions", completionsText),
    text("Duration", durationText),
    ageColumn,
    wide("Containers", ({ spec }) => containerNames(spec?.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec?.template.spec)),
    wide("Selector", ({ spec }) => selectorText(spec?.selector)),
  ]),
});

export const cronJobs: KindSpec<CronJob> = kindSpec<CronJob>({
  resource: CRON_JOBS,
  definition: "io.k8s.api.batch.v1.CronJob",
  shortNames: ["cj"],
  categories: ["all"],
  hasStatus: true,
  generation: "spec",
  defaults: (draft) => {
    draft.spec ??= {};
    draft.spec.concurrencyPolicy ||= "Allow";
    draft.spec.suspend ??= false;
    draft.spec.successfulJobsHistoryLimit ??= 3;
    draft.spec.failedJobsHistoryLimit ??= 1;
    if (draft.spec.jobTemplate?.spec) defaultTemplate(draft.spec.jobTemplate.spec);
  },
  prepareCreate: (draft) => {
    draft.status = {};
  },
  validate: validateCronJob,
  warnings: ({ spec }, stored) =>
    podWarnings("spec.jobTemplate.spec.template", spec?.jobTemplate?.spec?.template ?? {}, stored),
  ...printer<CronJob>([
    nameColumn,
    text("Schedule", ({ spec }) => spec?.schedule ?? ""),
    text("Timezone", ({ spec }) => spec?.timeZone ?? "<none>"),
    { ...text<CronJob>("Suspend", ({ spec }) => (spec?.suspend ? "True" : "False")), type: "boolean" },
    { name: "Active", type: "integer", priority: 0, cell: ({ status }) => status?.active?.length ?? 0 },
    text("Last Schedule", ({ status }, now) =>
      status?.lastScheduleTime === undefined ? "<none>" : ageOf(status.lastScheduleTime, now),
    ),
    ageColumn,
    wide("Containers", ({ spec }) => containerNames(spec?.jobTemplate.spec?.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec?.jobTemplate.spec?.template.spec)),
    wide("Selector", ({ spec }) => selectorText(spec?.jobTemplate.spec?.selector)),
  ]),
});

function defaultJobSpec(spec: Draft): void {
  if (spec.completions === undefined && spec.parallelism === undefined) {
    spec.completions = 1;
    spec.parallelism = 1;
  }
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2147483647;
  spec.completionMode ??= "NonIndexed";
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed";
  defaultTemplate(spec);
}

/** Gives the pods labels of their own, and the selector that finds them, unless the user chose them. */
function labelPods(draft: Draft): void {
  const { spec, metadata } = draft;
  if (spec.manualSelector || !spec.template || !metadata.uid) return;
  const uid = { "batch.kubernetes.io/controller-uid": metadata.uid };
  spec.template.metadata.labels = {
    ...spec.template.metadata.labels,
    ...uid,
    "batch.kubernetes.io/job-name": metadata.name ?? "",
    "controller-uid": metadata.uid,
    "job-name": metadata.name ?? "",
  };
  spec.selector = { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, ...uid } };
}

/** A job without labels has those of its pods. */
function defaultLabels({ metadata, spec }: Draft): void {
  const labels = spec?.template?.metadata?.labels;
  if (metadata && labels && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
}

function statusText({ metadata, spec, status }: Job): string {
  const has = (wanted: string) =>
    status?.conditions?.some(({ type, status: value }) => type === wanted && value === "True") === true;
  for (const type of ["Complete", "Failed"]) if (has(type)) return type;
  if (metadata.deletionTimestamp !== undefined) return "Terminating";
  if (has("Suspended")) return "Suspended";
  for (const type of ["FailureTarget", "SuccessCriteriaMet"]) if (has(type)) return type;
  return spec === undefined ? "" : "Running";
}

function completionsText({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText({ status }: Job, now: number): string {
  if (status?.startTime === undefined) return "";
  const end = status.completionTime === undefined ? now : Date.parse(status.completionTime);
  return shortDuration(end - Date.parse(status.startTime));
}
