import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSchedule } from "#kube/cron/schedule";
import type { CronJob, CronJobSpec, Job } from "#kube/generated/types";
import { CRON_JOBS, EVENTS, JOBS } from "#kube/resources";
import { HandClock } from "#life/testing/hand-clock";
import { type Harness, openHarness } from "../harness.ts";
import { latestDue } from "./due.ts";

const ref = { namespace: "default", name: "tick" };
const MINUTE = 60_000;
const FIRST = Date.parse("2026-01-01T00:00:00Z") / MINUTE;

function cronJob(spec: Partial<CronJobSpec>): CronJob {
  const template = {
    metadata: { labels: { a: "b" } },
    spec: {
      restartPolicy: "Never",
      containers: [{ name: "c", image: "i" }],
      // Nobody moves the node's heart along with the clock.
      tolerations: [{ operator: "Exists" }],
    },
  };
  return {
    metadata: ref,
    spec: {
      schedule: "* * * * *",
      concurrencyPolicy: "Allow",
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      jobTemplate: {
        metadata: { name: "", labels: { of: "tick" } },
        spec: { selector: { matchLabels: { a: "b" } }, parallelism: 1, completions: 1, template },
      },
      ...spec,
    },
  };
}

interface Bench extends Harness {
  readonly clock: HandClock;
}

async function openCron(spec: Partial<CronJobSpec>, ends: Harness["ends"] = () => undefined): Promise<Bench> {
  const clock = new HandClock();
  const harness = await openHarness({ clock });
  await harness.addNode("a");
  harness.ends = ends;
  await harness.client.create(CRON_JOBS, cronJob(spec));
  return Object.assign(harness, { clock });
}

/** Lets time pass until it is so. */
async function pass<T>({ clock, until }: Bench, what: string, holds: () => Promise<T | undefined | false>) {
  return until(what, async () => {
    await clock.pass(1_000);
    return holds();
  });
}

async function jobs({ client }: Bench): Promise<readonly Job[]> {
  return (await client.list(JOBS)).items;
}

async function heard({ client, until }: Bench, wanted: string): Promise<void> {
  await until(`event ${wanted}`, async () => {
    const { items } = await client.list(EVENTS, { namespace: "default" });
    return items.some(({ reason, message }) => `${reason}: ${message}`.startsWith(wanted));
  });
}

test("a Job is started each minute, named by it, and its success is remembered", async () => {
  await using bench = await openCron({ timeZone: "Asia/Kolkata" }, () => ({ phase: "Succeeded" }));
  const [job] = await pass(bench, "a Job", async () => {
    const all = await jobs(bench);
    return all.length > 0 && all;
  });
  assert.equal(job?.metadata.name, `tick-${FIRST + 1}`);
  assert.deepEqual(job?.metadata.labels, { of: "tick" });
  const annotations = job?.metadata.annotations ?? {};
  assert.equal(annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"], "2026-01-01T05:31:00+05:30");
  const done = await pass(bench, "success", async () => {
    const found = await bench.client.get(CRON_JOBS, ref);
    return found.status?.lastSuccessfulTime !== undefined && found;
  });
  assert.equal(done.status?.lastScheduleTime, "2026-01-01T00:01:00Z");
  await heard(bench, `SuccessfulCreate: Created job tick-${FIRST + 1}`);
  await heard(bench, `SawCompletedJob: Saw completed job: tick-${FIRST + 1}, condition: Complete`);
  await pass(bench, "only three are kept", async () => {
    const names = (await jobs(bench)).map(({ metadata }) => metadata.name).sort();
    return names.length === 3 && names[0] === `tick-${FIRST + 4}`;
  });
});

test("Forbid starts nothing beside a running Job, and says so", async () => {
  await using bench = await openCron({ concurrencyPolicy: "Forbid" });
  await pass(bench, "one Job", async () => (await jobs(bench)).length === 1);
  await bench.clock.pass(3 * MINUTE);
  await heard(bench, "JobAlreadyActive: Not starting job because prior execution is running");
  assert.equal((await jobs(bench)).length, 1);
  const { status } = await bench.client.get(CRON_JOBS, ref);
  assert.deepEqual(
    status?.active?.map(({ name }) => name),
    [`tick-${FIRST + 1}`],
  );
});

test("Replace deletes the running Job for the next one", async () => {
  await using bench = await openCron({ concurrencyPolicy: "Replace" });
  await pass(bench, "the first", async () => (await jobs(bench)).length === 1);
  await pass(bench, "the second alone", async () => {
    const names = (await jobs(bench)).map(({ metadata }) => metadata.name);
    return names.join() === `tick-${FIRST + 2}`;
  });
  await heard(bench, `SuccessfulDelete: Deleted job tick-${FIRST + 1}`);
});

test("Allow lets them pile up; a suspended one starts nothing", async () => {
  await using bench = await openCron({});
  await pass(bench, "two at once", async () => {
    const { status } = await bench.client.get(CRON_JOBS, ref);
    return status?.active?.length === 2;
  });
  await bench.client.patch(CRON_JOBS, ref, { spec: { suspend: true } }, { type: "merge" });
  await bench.clock.pass(1_000);
  const count = (await jobs(bench)).length;
  await bench.clock.pass(5 * MINUTE);
  assert.equal((await jobs(bench)).length, count);
});

test("a schedule nobody can read is an event, and mended, it runs", async () => {
  await using bench = await openCron({ schedule: "every day" });
  await heard(
    bench,
    'UnparseableSchedule: unparseable schedule: "every day" : expected exactly 5 fields, found 2',
  );
  await bench.client.patch(CRON_JOBS, ref, { spec: { schedule: "0 0 31 2 *" } }, { type: "merge" });
  await heard(bench, "InvalidSchedule: invalid schedule: 0 0 31 2 * : time difference between two");
  await bench.client.patch(CRON_JOBS, ref, { spec: { schedule: "@every 1m" } }, { type: "merge" });
  await pass(bench, "a Job", async () => (await jobs(bench)).length > 0);
  await bench.client.patch(CRON_JOBS, ref, { spec: { timeZone: "Mars/Base" } }, { type: "merge" });
  await heard(bench, 'UnknownTimeZone: invalid timeZone: "Mars/Base"');
});

const DUE: readonly (readonly [string, Partial<CronJobSpec>, string, string, string | undefined, boolean])[] =
  [
    ["nothing yet", {}, "2026-01-01T00:00:10Z", "2026-01-01T00:00:50Z", undefined, false],
    ["one", {}, "2026-01-01T00:00:10Z", "2026-01-01T00:01:00Z", "2026-01-01T00:01:00Z", false],
    [
      "the latest of a few",
      {},
      "2026-01-01T00:00:10Z",
      "2026-01-01T00:07:30Z",
      "2026-01-01T00:07:00Z",
      false,
    ],
    [
      "the latest of very many",
      {},
      "2026-01-01T00:00:10Z",
      "2026-03-01T00:00:30Z",
      "2026-03-01T00:00:00Z",
      true,
    ],
    [
      "within the deadline only",
      { startingDeadlineSeconds: 10 },
      "2026-01-01T00:00:10Z",
      "2026-01-01T00:07:30Z",
      undefined,
      false,
    ],
    [
      "uneven steps",
      { schedule: "30 6-16/4 * * 1-5" },
      "2026-11-19T16:00:00Z",
      "2026-11-23T12:00:00Z",
      "2026-11-23T10:30:00Z",
      false,
    ],
  ];

for (const [name, spec, since, now, at, isLate] of DUE)
  test(`due: ${name}`, () => {
    const subject = cronJob(spec);
    const created = { ...subject, metadata: { ...ref, creationTimestamp: since } };
    const schedule = parseSchedule(subject.spec?.schedule ?? "");
    const due = latestDue(created, schedule, Date.parse(now));
    assert.equal(due.at, at && Date.parse(at));
    assert.equal(due.isLate, isLate);
  });
