import type { Job, JobSpec, PodTemplateSpec } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { IMMUTABLE, invalid, notSupported, problems, required, tooLong } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { subdomainProblems } from "../field/names.ts";
import { nonNegative } from "../field/numbers.ts";
import { immutableField, sameJson } from "../field/same.ts";
import type { FieldError } from "../kind.ts";
import { validatePodTemplate } from "../pod/template.ts";
import { validateFailurePolicy, validateSuccessPolicy } from "./job-policies.ts";

const RESTART_POLICIES = ["OnFailure", "Never"];
const COMPLETION_MODES = ["NonIndexed", "Indexed"];
const REPLACEMENT_POLICIES = ["Failed", "TerminatingOrFailed"];
/** The most pods an Indexed job runs at once; and the most indexes of it that may fail. */
const MAX_PARALLEL = 100_000;
/** Above so many indexes, those that fail must be few. */
const MANY_INDEXES = 100_000;
const MAX_FAILED_OF_MANY = 10_000;
const MAX_MANAGER = 63;
const COUNTS = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
  "backoffLimitPerIndex",
  "maxFailedIndexes",
] as const;

export function validateJob({ metadata, spec }: Job): readonly FieldError[] {
  if (spec === undefined) return [required("spec.template")];
  const errors = [...validateSelector(metadata.uid, spec), ...validateJobSpec("spec", spec)];
  if (spec.selector === undefined) errors.push(required("spec.selector"));
  errors.push(...validateLabelSelector("spec.selector", spec.selector));
  const labels = spec.template?.metadata?.labels;
  // no selector selects nothing
  const { selector } = spec;
  if (selector === undefined || (!isEmptySelector(selector) && !matchesSelector(selector, labels ?? {})))
    errors.push(
      invalid("spec.template.metadata.labels", labels ?? null, "`selector` does not match template `labels`"),
    );
  return errors;
}

/** A selector that was not asked for is the job's own. */
function validateSelector(uid: string | undefined, spec: JobSpec): readonly FieldError[] {
  if (spec.manualSelector === true || spec.selector === undefined || uid === undefined) return [];
  const own = { "batch.kubernetes.io/controller-uid": uid, "controller-uid": uid };
  return matchesSelector(spec.selector, own)
    ? []
    : [invalid("spec.selector", spec.selector, "`selector` not auto-generated")];
}

/** What a job and the template of one have in common. @see validateJobSpec in kubernetes pkg/apis/batch/validation */
export function validateJobSpec(path: string, spec: JobSpec): readonly FieldError[] {
  return [
    ...COUNTS.flatMap((field) => nonNegative(`${path}.${field}`, spec[field])),
    ...validateIndexes(path, spec),
    ...validateManager(`${path}.managedBy`, spec.managedBy),
    ...validateReplacement(`${path}.podReplacementPolicy`, spec),
    ...validateFailurePolicy(`${path}.podFailurePolicy`, spec),
    ...validateSuccessPolicy(`${path}.successPolicy`, spec),
    ...validatePodTemplate(`${path}.template`, spec.template),
    ...validateRestart(`${path}.template.spec.restartPolicy`, spec),
  ];
}

function validateIndexes(path: string, spec: JobSpec): readonly FieldError[] {
  const { completionMode, completions, parallelism, backoffLimitPerIndex, maxFailedIndexes } = spec;
  const errors: FieldError[] = [];
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined)
    errors.push(required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  if (completionMode !== undefined && !COMPLETION_MODES.includes(completionMode))
    errors.push(notSupported(`${path}.completionMode`, completionMode, COMPLETION_MODES));
  if (completionMode !== "Indexed") {
    for (const field of ["backoffLimitPerIndex", "maxFailedIndexes"] as const)
      if (spec[field] !== undefined)
        errors.push(invalid(`${path}.${field}`, spec[field], "requires indexed completion mode"));
    return errors;
  }
  if (completions === undefined)
    return [...errors, required(`${path}.completions`, "when completion mode is Indexed")];
  if (parallelism !== undefined && parallelism > MAX_PARALLEL)
    errors.push(
      invalid(
        `${path}.parallelism`,
        parallelism,
        `must be less than or equal to ${MAX_PARALLEL} when completion mode is Indexed`,
      ),
    );
  return [...errors, ...validateFailedIndexes(`${path}.maxFailedIndexes`, spec, completions)];
}

function validateFailedIndexes(path: string, spec: JobSpec, completions: number): readonly FieldError[] {
  const { maxFailedIndexes: most, backoffLimitPerIndex } = spec;
  const errors: FieldError[] = [];
  if (most !== undefined && most > completions)
    errors.push(invalid(path, most, "must be less than or equal to completions"));
  if (most !== undefined && most > MAX_PARALLEL)
    errors.push(invalid(path, most, `must be less than or equal to ${MAX_PARALLEL}`));
  if (completions <= MANY_INDEXES || backoffLimitPerIndex === undefined) return errors;
  if (most === undefined)
    errors.push(required(path, `must be specified when completions is above ${MANY_INDEXES}`));
  else if (most > MAX_FAILED_OF_MANY)
    errors.push(
      invalid(
        path,
        most,
        `must be less than or equal to ${MAX_FAILED_OF_MANY} when completions are above ${MANY_INDEXES} and used with backoff limit per index`,
      ),
    );
  return errors;
}

function validateManager(path: string, manager: string | undefined): readonly FieldError[] {
  if (manager === undefined) return [];
  const errors: FieldError[] = manager.length > MAX_MANAGER ? [tooLong(path, MAX_MANAGER)] : [];
  const [domain = "", ...rest] = manager.split("/");
  if (domain === "" || rest.join("/") === "")
    return [...errors, invalid(path, manager, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  return [...errors, ...problems(path, domain, subdomainProblems(domain))];
}

function validateReplacement(
  path: string,
  { podReplacementPolicy: policy, podFailurePolicy }: JobSpec,
): readonly FieldError[] {
  const allowed = podFailurePolicy === undefined ? REPLACEMENT_POLICIES : ["Failed"];
  return policy === undefined || allowed.includes(policy) ? [] : [notSupported(path, policy, allowed)];
}

function validateRestart(path: string, { template, podFailurePolicy }: JobSpec): readonly FieldError[] {
  const policy = template?.spec?.restartPolicy ?? "Always";
  if (policy === "Always") return [required(path, 'valid values: "OnFailure", "Never"')];
  if (!RESTART_POLICIES.includes(policy)) return [notSupported(path, policy, RESTART_POLICIES)];
  return podFailurePolicy !== undefined && policy !== "Never"
    ? [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : [];
}

const FIXED = [
  "selector",
  "completionMode",
  "podFailurePolicy",
  "backoffLimitPerIndex",
  "managedBy",
  "successPolicy",
] as const;

/** A job's pods stay what they are; one that waits and never ran may still be told where to run. */
export function validateJobUpdate({ spec }: Job, stored: Job): readonly FieldError[] {
  const before = stored.spec;
  if (spec === undefined || before === undefined) return [];
  const mayMove = before.suspend === true && stored.status?.startTime === undefined;
  const now = mayMove ? withScheduling(spec.template, before.template) : spec.template;
  return [
    ...validateCompletions(spec, before),
    ...FIXED.flatMap((field) => immutableField(`spec.${field}`, spec[field], before[field])),
    ...(sameJson(now, before.template) ? [] : [invalid("spec.template", spec.template, IMMUTABLE)]),
  ];
}

function validateCompletions(spec: JobSpec, before: JobSpec): readonly FieldError[] {
  const path = "spec.completions";
  if (spec.completions === before.completions) return [];
  if (spec.completionMode !== "Indexed") return [invalid(path, spec.completions, IMMUTABLE)];
  return spec.completions === spec.parallelism && before.completions === before.parallelism
    ? []
    : [invalid(path, spec.completions, "can only be modified in tandem with spec.parallelism")];
}

/** The template with the labels and the scheduling of the old one. */
function withScheduling(now: PodTemplateSpec, before: PodTemplateSpec): unknown {
  const { nodeSelector, affinity, tolerations, schedulingGates } = before.spec ?? {};
  const { labels, annotations } = before.metadata ?? {};
  return plain({
    ...now,
    metadata: { ...now.metadata, labels, annotations },
    spec: { ...now.spec, nodeSelector, affinity, tolerations, schedulingGates },
  });
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const STATUS_COUNTS = ["active", "succeeded", "failed", "ready", "terminating"] as const;
const CONDITIONS = ["Complete", "Failed"];

/** Counts are counts, and a job that ended stays ended. */
export function validateJobStatus({ spec, status }: Job, stored: Job): readonly FieldError[] {
  const errors = STATUS_COUNTS.flatMap((field) => nonNegative(`status.${field}`, status?.[field]));
  // an Indexed job that may shrink forgets what it no longer has
  const shrinks = spec?.completionMode === "Indexed" && spec.completions === spec.parallelism;
  for (const field of shrinks ? (["failed"] as const) : (["failed", "succeeded"] as const)) {
    const count = status?.[field] ?? 0;
    if (count < (stored.status?.[field] ?? 0))
      errors.push(invalid(`status.${field}`, count, `cannot decrease the ${field} counter`));
  }
  const has = (of: Job["status"], wanted: string) =>
    of?.conditions?.some(({ type, status: value }) => type === wanted && value === "True") === true;
  for (const type of CONDITIONS)
    if (has(stored.status, type) && !has(status, type))
      errors.push(
        invalid(
          "status.conditions",
          status?.conditions ?? null,
          `cannot disable the terminal ${type}=True condition`,
        ),
      );
  if (has(status, "Complete") && has(status, "Failed"))
    errors.push(
      invalid("status.conditions", status?.conditions, "cannot set Complete=True and Failed=true conditions"),
    );
  return errors;
}
