import type { CronJob, Job } from "#kube/generated/types";
import { CRON_JOBS, JOBS } from "#kube/resources";
import { defaultTemplate } from "../apps/template.ts";
import { kindSpec } from "../base.ts";
import { invalid, notSupported, required } from "../field/error.ts";
import { sameJson } from "../field/same.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { validatePodSpec } from "../pod/validation.ts";
import { ageOf, shortDuration } from "../print/age.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { containerImages, containerNames, selectorText } from "../print/words.ts";

const RESTART_POLICIES = ["OnFailure", "Never"];

/** Stored with its defaults and generated selector; no controller runs it yet. */
export const jobs: KindSpec<Job> = kindSpec<Job>({
  resource: JOBS,
  definition: "io.k8s.api.batch.v1.Job",
  categories: ["all"],
  hasStatus: true,
  generation: "spec",
  defaults: (draft) => {
    draft.spec ??= {};
    defaultJobSpec(draft.spec);
  },
  prepareCreate: (draft) => {
    draft.status = {};
    labelPods(draft);
  },
  validate: ({ spec }) => validateJobSpec("spec", spec),
  validateUpdate: (object, stored) =>
    (["selector", "completionMode", "template"] as const)
      .filter((field) => !sameJson(object.spec?.[field], stored.spec?.[field]))
      .map((field) => invalid(`spec.${field}`, object.spec?.[field], "field is immutable")),
  selectableFields: ({ status }) => ({ "status.successful": String(status?.succeeded ?? 0) }),
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

/** Stored with its defaults; no controller runs it yet. */
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
  ...printer<CronJob>([
    nameColumn,
    text("Schedule", ({ spec }) => spec?.schedule ?? ""),
    text("Timezone", ({ spec }) => spec?.timeZone ?? "<none>"),
    text("Suspend", ({ spec }) => (spec?.suspend ? "True" : "False")),
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
    "batch.kubernetes.io/job-name": metadata.name,
    "controller-uid": metadata.uid,
    "job-name": metadata.name,
  };
  spec.selector = { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, ...uid } };
}

function validateJobSpec(path: string, spec: Job["spec"]): readonly FieldError[] {
  if (spec?.template === undefined) return [required(`${path}.template`)];
  const at = `${path}.template.spec`;
  const errors = [...validatePodSpec(at, spec.template.spec)];
  const policy = spec.template.spec?.restartPolicy;
  if (policy === undefined || policy === "Always")
    errors.push(required(`${at}.restartPolicy`, 'valid values: "OnFailure", "Never"'));
  else if (!RESTART_POLICIES.includes(policy))
    errors.push(notSupported(`${at}.restartPolicy`, policy, RESTART_POLICIES));
  return errors;
}

function validateCronJob({ metadata, spec }: CronJob): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (metadata.name.length > 52)
    errors.push(invalid("metadata.name", metadata.name, "must be no more than 52 characters"));
  if (!spec?.schedule) errors.push(required("spec.schedule"));
  else if (/^(CRON_)?TZ=/.test(spec.schedule))
    errors.push(
      invalid(
        "spec.schedule",
        spec.schedule,
        "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
      ),
    );
  return [...errors, ...validateJobSpec("spec.jobTemplate.spec", spec?.jobTemplate.spec)];
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
