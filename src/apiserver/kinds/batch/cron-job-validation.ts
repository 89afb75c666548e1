import { isFault } from "#fault/fault";
import { parseSchedule } from "#kube/cron/schedule";
import type { CronJob, CronJobSpec } from "#kube/generated/types";
import { invalid, notSupported, required } from "../field/error.ts";
import { nonNegative } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";
import { validateJobSpec } from "./job-validation.ts";

const CONCURRENCY = ["Allow", "Forbid", "Replace"];
/** The jobs it makes have names eleven characters longer. */
const MAX_NAME = 52;

export function validateCronJob({ metadata, spec }: CronJob): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (metadata.name.length > MAX_NAME)
    errors.push(invalid("metadata.name", metadata.name, `must be no more than ${MAX_NAME} characters`));
  const { schedule = "", concurrencyPolicy = "" } = spec ?? {};
  if (schedule === "") errors.push(required("spec.schedule"));
  else errors.push(...validateSchedule("spec.schedule", schedule));
  errors.push(
    ...validateZone("spec.timeZone", spec?.timeZone),
    ...nonNegative("spec.startingDeadlineSeconds", spec?.startingDeadlineSeconds),
  );
  if (concurrencyPolicy === "") errors.push(required("spec.concurrencyPolicy"));
  else if (!CONCURRENCY.includes(concurrencyPolicy))
    errors.push(notSupported("spec.concurrencyPolicy", concurrencyPolicy, CONCURRENCY));
  return [
    ...errors,
    ...validateTemplate("spec.jobTemplate.spec", spec),
    ...nonNegative("spec.successfulJobsHistoryLimit", spec?.successfulJobsHistoryLimit),
    ...nonNegative("spec.failedJobsHistoryLimit", spec?.failedJobsHistoryLimit),
  ];
}

function validateSchedule(path: string, schedule: string): readonly FieldError[] {
  if (/TZ=/.test(schedule))
    return [invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")];
  const why = refusalOf(() => parseSchedule(schedule));
  return why === undefined ? [] : [invalid(path, schedule, why)];
}

function validateZone(path: string, zone: string | undefined): readonly FieldError[] {
  if (zone === undefined) return [];
  if (zone === "") return [invalid(path, zone, "timeZone must be nil or non-empty string")];
  if (zone.toLowerCase() === "local")
    return [
      invalid(
        path,
        zone,
        "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
      ),
    ];
  const why = refusalOf(() => parseSchedule("0 0 * * *", zone));
  return why === undefined ? [] : [invalid(path, zone, `unknown time zone ${zone}`)];
}

function refusalOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (isFault(error)) return error.message;
    throw error;
  }
}

/** Its jobs' selectors are their own. */
function validateTemplate(path: string, spec: CronJobSpec | undefined): readonly FieldError[] {
  const job = spec?.jobTemplate?.spec;
  if (job === undefined) return [required(`${path}.template`)];
  const errors = [...validateJobSpec(path, job)];
  if (job.selector !== undefined)
    errors.push(invalid(`${path}.selector`, job.selector, "`selector` will be auto-generated"));
  if (job.manualSelector === true)
    errors.push(notSupported(`${path}.manualSelector`, true, ["nil", "false"]));
  return errors;
}
