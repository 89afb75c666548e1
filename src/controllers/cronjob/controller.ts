import { isFault } from "#fault/fault";
import { hasCause, isApiFault, wordsOf } from "#kube/api-fault";
import { parseSchedule, type Schedule } from "#kube/cron/schedule";
import type { EventRecorder } from "#kube/event-recorder";
import type { CronJob, CronJobStatus, Job } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { controllerOf, isControlledBy, isDeleting, objectReference } from "#kube/owner";
import { CRON_JOBS, JOBS } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { controllerKey } from "../claim.ts";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { BY_CONTROLLER } from "../informers.ts";
import { isFinished } from "../job/verdict.ts";
import { Ledger } from "../ledger.ts";
import { canonicalJson } from "../template.ts";
import { formatTime, parseTime } from "../time.ts";
import { endOf, settleActive } from "./active.ts";
import { draftJob, jobName } from "./draft.ts";
import { isNever, latestDue, untilNextMs } from "./due.ts";

/** What kube-controller-manager finds wrong with it: both of its next starts are the zero time. */
const NEVER = "time difference between two schedules is less than 1 second";

/** What a CronJob's status becomes, and when to look again. */
interface Turn {
  readonly status: CronJobStatus;
  readonly againMs?: number | undefined;
}

/** Starts the Jobs of each CronJob when their time comes. */
export function runCronJobs(context: ControllerContext): void {
  new CronJobs(context).run();
}

class CronJobs {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #jobs: Ledger<Job>;
  readonly #cronJobs: Ledger<CronJob>;
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "cronjob-controller");
    this.#jobs = new Ledger(context.informers.jobs, context.clock);
    this.#cronJobs = new Ledger(context.informers.cronJobs, context.clock);
    this.#queue = openQueue(context, "cronjob", { workers: 5, work: (key) => this.#sync(key) });
  }

  run(): void {
    const { cronJobs, jobs } = this.#context.informers;
    cronJobs.subscribe(({ key }) => this.#queue.add(key));
    jobs.subscribe((change) => {
      const job = change.type === "removed" ? change.before : change.object;
      const owner = controllerOf(job) && controllerKey(job, CRON_JOBS);
      if (owner !== undefined) this.#queue.add(owner);
    });
  }

  async #sync(key: string): Promise<number | undefined> {
    const { informers, client } = this.#context;
    const cronJob = informers.cronJobs.get(key);
    if (cronJob === undefined) {
      this.#jobs.forget(key);
      this.#cronJobs.forget(key);
      return undefined;
    }
    if (!this.#jobs.isSettled(key) || !this.#cronJobs.isSettled(key)) return undefined;
    const jobs = informers.jobs.byIndex(BY_CONTROLLER, cronJob.metadata.uid ?? "");
    await this.#trim(key, cronJob, jobs);
    const status = await settleActive(cronJob, jobs, { client, events: this.#events });
    const turn = isDeleting(cronJob) ? { status } : await this.#start(key, cronJob, status);
    await this.#report(key, cronJob, turn.status);
    return turn.againMs;
  }

  async #report(key: string, cronJob: CronJob, status: CronJobStatus): Promise<void> {
    if (canonicalJson(status) === canonicalJson(cronJob.status ?? {})) return;
    const { active, ...rest } = status;
    const next = { ...cronJob, status: { ...rest, ...(active?.length ? { active } : {}) } };
    this.#cronJobs.created(
      key,
      await this.#context.client.replace(CRON_JOBS, next, { subresource: "status" }),
    );
  }

  /** Starts the latest Job that is due, unless the policy forbids it. */
  async #start(key: string, cronJob: CronJob, status: CronJobStatus): Promise<Turn> {
    const schedule = this.#scheduleOf(cronJob);
    if (schedule === undefined) return { status };
    const now = this.#context.clock.now();
    const againMs = untilNextMs(cronJob, schedule, now);
    const { at, isLate } = latestDue(cronJob, schedule, now);
    if (isLate)
      this.#warn(
        cronJob,
        "TooManyMissedTimes",
        "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
      );
    if (at === undefined) return { status, againMs };
    const { startingDeadlineSeconds, concurrencyPolicy } = cronJob.spec ?? {};
    if (startingDeadlineSeconds !== undefined && at + startingDeadlineSeconds * 1000 < now) {
      this.#warn(cronJob, "MissSchedule", `Missed scheduled time to start a job: ${mailDate(at)}`);
      return { status, againMs };
    }
    const active = status.active ?? [];
    const isStarted = active.some(({ name }) => name === jobName(cronJob, at));
    if (isStarted || parseTime(status.lastScheduleTime) === at) return { status, againMs };
    if (concurrencyPolicy === "Forbid" && active.length > 0) {
      const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
      this.#events.record(cronJob, { type: "Normal", reason: "JobAlreadyActive", message });
      return { status, againMs };
    }
    const left = concurrencyPolicy === "Replace" ? await this.#replaceActive(key, cronJob, status) : status;
    return { status: await this.#create(key, cronJob, left, at), againMs };
  }

  /** Undefined when nothing is to be started: it is suspended, or its schedule cannot be read, which is said. */
  #scheduleOf(cronJob: CronJob): Schedule | undefined {
    const { schedule = "", timeZone, suspend } = cronJob.spec ?? {};
    if (suspend) return undefined;
    try {
      const zoned = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/.exec(schedule);
      if (schedule.includes("TZ")) this.#warn(cronJob, "UnsupportedSchedule", unsupported(schedule));
      const parsed = parseSchedule(zoned?.[2] ?? schedule, zoned?.[1] ?? timeZone);
      if (!isNever(parsed, this.#context.clock.now())) return parsed;
      this.#warn(cronJob, "InvalidSchedule", `invalid schedule: ${schedule} : ${NEVER}`);
      return undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      const isZone = error.code === "UnknownTimeZone" && timeZone !== undefined;
      if (isZone) this.#warn(cronJob, "UnknownTimeZone", `invalid timeZone: "${timeZone}": ${error.message}`);
      else
        this.#warn(cronJob, "UnparseableSchedule", `unparseable schedule: "${schedule}" : ${error.message}`);
      return undefined;
    }
  }

  async #replaceActive(key: string, cronJob: CronJob, status: CronJobStatus): Promise<CronJobStatus> {
    for (const { namespace, name = "" } of status.active ?? []) {
      const job = await this.#context.client.get(JOBS, { namespace, name });
      await this.#delete(key, cronJob, job);
    }
    return { ...status, active: [] };
  }

  async #create(key: string, cronJob: CronJob, status: CronJobStatus, at: number): Promise<CronJobStatus> {
    const job = await this.#createJob(key, cronJob, draftJob(cronJob, at));
    if (job === undefined) return status;
    const known = status.active ?? [];
    const isKnown = isFinished(job) || known.some(({ uid }) => uid === job.metadata.uid);
    return {
      ...status,
      active: isKnown ? known : [...known, objectReference(JOBS, job)],
      lastScheduleTime: formatTime(at),
    };
  }

  /** The Job of that name, made now or by ourselves before; undefined when it is somebody else's, or cannot be. */
  async #createJob(key: string, cronJob: CronJob, draft: Job): Promise<Job | undefined> {
    const { client } = this.#context;
    try {
      const job = await client.create(JOBS, draft);
      this.#jobs.created(key, job);
      const message = `Created job ${job.metadata.name}`;
      this.#events.record(cronJob, { type: "Normal", reason: "SuccessfulCreate", message });
      return job;
    } catch (error) {
      if (isApiFault(error, "AlreadyExists")) {
        const existing = await client.get(JOBS, draft.metadata);
        return isControlledBy(existing, cronJob) ? existing : undefined;
      }
      if (isApiFault(error) && hasCause(error, "NamespaceTerminating")) return undefined;
      this.#warn(cronJob, "FailedCreate", `Error creating job: ${wordsOf(error)}`);
      throw error;
    }
  }

  /** Deletes the oldest finished Jobs beyond what the history keeps. */
  async #trim(key: string, cronJob: CronJob, jobs: readonly Job[]): Promise<void> {
    const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = cronJob.spec ?? {};
    const finished = jobs
      .filter((job) => isFinished(job) && !isDeleting(job))
      .sort(
        (a, b) =>
          parseTime(a.status?.startTime) - parseTime(b.status?.startTime) || (keyOf(a) < keyOf(b) ? -1 : 1),
      );
    for (const [end, limit] of [
      ["Complete", successfulJobsHistoryLimit],
      ["Failed", failedJobsHistoryLimit],
    ] as const) {
      if (limit === undefined) continue;
      const same = finished.filter((job) => endOf(job) === end);
      for (const job of same.slice(0, Math.max(0, same.length - limit)))
        await this.#delete(key, cronJob, job);
    }
  }

  async #delete(key: string, cronJob: CronJob, job: Job): Promise<void> {
    const { uid, name } = job.metadata;
    const options = { propagationPolicy: "Background", ...(uid ? { uid } : {}) } as const;
    try {
      await this.#context.client.delete(JOBS, job.metadata, options);
      this.#jobs.deleted(key, keyOf(job), uid);
      this.#events.record(cronJob, {
        type: "Normal",
        reason: "SuccessfulDelete",
        message: `Deleted job ${name}`,
      });
    } catch (error) {
      this.#warn(cronJob, "FailedDelete", `Deleted job: ${wordsOf(error)}`);
      throw error;
    }
  }

  #warn(cronJob: CronJob, reason: string, message: string): void {
    this.#events.record(cronJob, { type: "Warning", reason, message });
  }
}

function unsupported(schedule: string): string {
  return `CRON_TZ or TZ used in schedule "${schedule}" is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details`;
}

/** `Fri, 02 Jan 2026 03:04:05 +0000`. */
function mailDate(ms: number): string {
  return new Date(ms).toUTCString().replace("GMT", "+0000");
}
