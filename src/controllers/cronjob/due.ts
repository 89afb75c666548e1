import type { Schedule } from "#kube/cron/schedule";
import type { CronJob } from "#kube/generated/types";
import { parseTime } from "../time.ts";

/** Which start of a CronJob is due. */
export interface Due {
  /** The latest time that has come and not been started, in milliseconds since the epoch. */
  readonly at?: number;
  /** So many were missed that something must be wrong. */
  readonly isLate: boolean;
}

const TOO_MANY = 100;
/** A little later than the time itself, so that it has surely come. */
const MARGIN_MS = 100;

/** Only the latest missed start counts. @throws never; a schedule without a next time has nothing due.
 *  @see kubernetes pkg/controller/cronjob/utils.go mostRecentScheduleTime */
export function latestDue(cronJob: CronJob, schedule: Schedule, now: number): Due {
  const { startingDeadlineSeconds } = cronJob.spec ?? {};
  const since = lastStart(cronJob);
  const earliest =
    startingDeadlineSeconds === undefined ? since : Math.max(since, now - startingDeadlineSeconds * 1000);
  const first = schedule.next(earliest);
  if (first === undefined || first > now) return { isLate: false };
  const second = schedule.next(first);
  if (second === undefined || second > now) return { at: first, isLate: false };
  // Starting from near the end keeps this short however long the pause was, and `@every` in step.
  const stepMs = second - first;
  const missed = Math.floor((now - first) / stepMs) + 1;
  const at = lastNotAfter(schedule, first + (missed - 2) * stepMs, now) ?? lastNotAfter(schedule, first, now);
  return { at: at ?? first, isLate: missed > TOO_MANY };
}

/** Whether no day is ever like the schedule's, such as 31 February. */
export function isNever(schedule: Schedule, now: number): boolean {
  return schedule.next(now) === undefined;
}

/** How long until the next start; undefined when there is none. */
export function untilNextMs(cronJob: CronJob, schedule: Schedule, now: number): number | undefined {
  const next = schedule.next(
    schedule.isInterval ? (latestDue(cronJob, schedule, now).at ?? lastStart(cronJob)) : now,
  );
  return next === undefined ? undefined : Math.max(0, next + MARGIN_MS - now);
}

function lastStart({ metadata, status }: CronJob): number {
  return parseTime(status?.lastScheduleTime ?? metadata.creationTimestamp);
}

function lastNotAfter(schedule: Schedule, from: number, now: number): number | undefined {
  let last: number | undefined;
  for (let at = schedule.next(from); at !== undefined && at <= now; at = schedule.next(at)) last = at;
  return last;
}
