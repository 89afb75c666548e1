import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job, JobSpec, Pod, PodStatus } from "#kube/generated/types";
import { EVENTS, JOBS, PODS } from "#kube/resources";
import { HandClock } from "#life/testing/hand-clock";
import { type Harness, openHarness } from "../harness.ts";
import { indexOf, isTracked } from "./pods.ts";

const ref = { namespace: "default", name: "work" };
const SUCCEEDED: PodStatus = { phase: "Succeeded" };

function failedWith(exitCode: number): PodStatus {
  const terminated = { exitCode, finishedAt: "2026-01-01T00:00:00Z" };
  const state = { terminated };
  return {
    phase: "Failed",
    containerStatuses: [{ name: "c", image: "i", imageID: "", ready: false, restartCount: 0, state }],
  };
}

function job(spec: Partial<JobSpec>): Job {
  const labels = { "job-name": "work" };
  return {
    metadata: ref,
    spec: {
      parallelism: 1,
      backoffLimit: 6,
      completionMode: "NonIndexed",
      podReplacementPolicy: "TerminatingOrFailed",
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] },
      },
      ...spec,
    },
  };
}

async function openJob(spec: Partial<JobSpec>, ends: (pod: Pod) => PodStatus | undefined): Promise<Harness> {
  const harness = await openHarness();
  await harness.addNode("a", { status: { allocatable: { cpu: "64", memory: "64Gi", pods: "2000" } } });
  harness.ends = ends;
  await harness.client.create(JOBS, job(spec));
  return harness;
}

/** The Job once it has the condition. */
function reached({ client, until }: Harness, type: string): Promise<Job> {
  return until(`${type}`, async () => {
    const found = await client.get(JOBS, ref);
    const has = found.status?.conditions?.some((c) => c.type === type && c.status === "True");
    return has && found;
  });
}

function conditions({ status }: Job): readonly string[] {
  return (status?.conditions ?? []).map(({ type, reason }) => `${type} ${reason}`);
}

async function events({ client, until }: Harness, wanted: string): Promise<void> {
  await until(`event ${wanted}`, async () => {
    const { items } = await client.list(EVENTS, { namespace: "default" });
    return items.some(({ reason, message }) => `${reason}: ${message}` === wanted);
  });
}

test("a Job runs its pods to completion, a few at a time, and lets them go", async () => {
  let most = 0;
  await using harness = await openJob({ completions: 18, parallelism: 7 }, () => SUCCEEDED);
  harness.pods.subscribe(() => {
    const running = harness.pods.list().filter(({ status }) => status?.phase !== "Succeeded");
    most = Math.max(most, running.length);
  });
  const done = await reached(harness, "Complete");
  assert.deepEqual(conditions(done), [
    "SuccessCriteriaMet CompletionsReached",
    "Complete CompletionsReached",
  ]);
  assert.equal(done.status?.succeeded, 18);
  assert.equal(done.status?.active, undefined);
  assert.ok(done.status?.completionTime);
  assert.ok(most <= 7, `${most} at once`);
  assert.deepEqual(done.status?.uncountedTerminatedPods, {});
  const pods = (await harness.client.list(PODS)).items;
  assert.equal(pods.length, 18);
  assert.ok(pods.every((pod) => !isTracked(pod)));
  await events(harness, "Completed: Job completed");
});

test("an indexed Job gives each pod its index, and says which are done", async () => {
  await using harness = await openJob(
    { completions: 5, parallelism: 3, completionMode: "Indexed" },
    () => SUCCEEDED,
  );
  const done = await reached(harness, "Complete");
  assert.equal(done.status?.completedIndexes, "0-4");
  assert.equal(done.status?.succeeded, 5);
  const pods = (await harness.client.list(PODS)).items;
  assert.deepEqual(pods.map(indexOf).sort(), [0, 1, 2, 3, 4]);
  for (const { metadata, spec } of pods) {
    const index = metadata.labels?.["batch.kubernetes.io/job-completion-index"];
    assert.match(metadata.name, new RegExp(`^work-${index}-`));
    assert.equal(spec?.hostname, `work-${index}`);
    assert.deepEqual(spec?.containers[0]?.env, [
      {
        name: "JOB_COMPLETION_INDEX",
        valueFrom: { fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" } },
      },
    ]);
  }
});

test("too many failures end a Job; what still runs goes and counts as failed", async () => {
  await using harness = await openJob({ completions: 3, parallelism: 3, backoffLimit: 0 }, (pod) =>
    pod.metadata.name.endsWith("0") ? failedWith(1) : undefined,
  );
  const done = await reached(harness, "Failed");
  assert.deepEqual(conditions(done), ["FailureTarget BackoffLimitExceeded", "Failed BackoffLimitExceeded"]);
  assert.equal(done.status?.failed, 3);
  assert.equal(done.status?.completionTime, undefined);
  await events(harness, "BackoffLimitExceeded: Job has reached the specified backoff limit");
  await harness.until("one pod stays", async () => (await harness.client.list(PODS)).items.length === 1);
});

test("indexes fail on their own, up to the number that may", async () => {
  await using harness = await openJob(
    {
      completions: 4,
      parallelism: 4,
      completionMode: "Indexed",
      backoffLimitPerIndex: 0,
      backoffLimit: 1000,
    },
    (pod) => ((indexOf(pod) ?? 0) % 2 === 0 ? failedWith(1) : SUCCEEDED),
  );
  const done = await reached(harness, "Failed");
  assert.deepEqual(conditions(done), ["FailureTarget FailedIndexes", "Failed FailedIndexes"]);
  assert.equal(done.status?.completedIndexes, "1,3");
  assert.equal(done.status?.failedIndexes, "0,2");
  assert.equal(done.status?.failed, 2);
});

test("a pod failure policy fails the Job, an index, or ignores", async () => {
  const onExitCodes = (value: number) => ({ operator: "In", values: [value] });
  const podFailurePolicy = {
    rules: [
      { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
      { action: "FailIndex", onExitCodes: onExitCodes(7) },
      { action: "FailJob", onExitCodes: onExitCodes(42) },
    ],
  };
  await using harness = await openJob(
    {
      completions: 3,
      parallelism: 1,
      completionMode: "Indexed",
      backoffLimitPerIndex: 1,
      backoffLimit: 1000,
      podReplacementPolicy: "Failed",
      podFailurePolicy,
    },
    (pod) => {
      const isReplacement = pod.metadata.annotations?.["batch.kubernetes.io/job-index-ignored-failure-count"];
      const disrupted = { conditions: [{ type: "DisruptionTarget", status: "True" }] };
      if (indexOf(pod) === 0) return isReplacement ? SUCCEEDED : { ...failedWith(1), ...disrupted };
      return failedWith(indexOf(pod) === 1 ? 7 : 42);
    },
  );
  const done = await reached(harness, "Failed");
  const pods = (await harness.client.list(PODS)).items;
  const last = pods.find((pod) => indexOf(pod) === 2);
  assert.deepEqual(conditions(done), ["FailureTarget PodFailurePolicy", "Failed PodFailurePolicy"]);
  assert.equal(
    done.status?.conditions?.[0]?.message,
    `Container c for pod default/${last?.metadata.name} failed with exit code 42 matching FailJob rule at index 2`,
  );
  assert.equal(done.status?.completedIndexes, "0");
  assert.equal(done.status?.failedIndexes, "1");
});

test("a success policy ends an indexed Job early, and the rest of its pods", async () => {
  await using harness = await openJob(
    {
      completions: 4,
      parallelism: 4,
      completionMode: "Indexed",
      successPolicy: { rules: [{ succeededIndexes: "0,2-3", succeededCount: 2 }] },
    },
    (pod) => ([2, 3].includes(indexOf(pod) ?? 0) ? SUCCEEDED : undefined),
  );
  const done = await reached(harness, "Complete");
  assert.deepEqual(conditions(done), ["SuccessCriteriaMet SuccessPolicy", "Complete SuccessPolicy"]);
  assert.equal(done.status?.conditions?.[0]?.message, "Matched rules at index 0");
  assert.equal(done.status?.completedIndexes, "2,3");
  assert.equal(done.status?.failed, undefined);
});

test("a suspended Job has no pods and no start; it resumes with both", async () => {
  await using harness = await openJob({ completions: 2, parallelism: 2 }, () => undefined);
  const { client, until } = harness;
  const podCount = async () => (await client.list(PODS)).items.length;
  await until("two pods", async () => (await podCount()) === 2);
  await client.patch(JOBS, ref, { spec: { suspend: true } }, { type: "merge" });
  const suspended = await reached(harness, "Suspended");
  await until("none", async () => (await podCount()) === 0);
  assert.equal(suspended.status?.startTime, undefined);
  assert.equal(suspended.status?.failed, undefined);
  harness.ends = () => SUCCEEDED;
  await client.patch(JOBS, ref, { spec: { suspend: false } }, { type: "merge" });
  const done = await reached(harness, "Complete");
  assert.ok(done.status?.startTime);
  assert.equal(conditions(done)[0], "Suspended JobResumed");
  await events(harness, "Suspended: Job suspended");
  await events(harness, "Resumed: Job resumed");
});

test("a Job past its deadline fails", async () => {
  await using harness = await openJob({ completions: 1, activeDeadlineSeconds: 1 }, () => undefined);
  const done = await reached(harness, "Failed");
  assert.equal(conditions(done)[0], "FailureTarget DeadlineExceeded");
});

test("a work queue ends with its first success and its last pod", async () => {
  let isFirst = true;
  await using harness = await openJob({ parallelism: 3 }, () => {
    if (isFirst) setTimeout(() => (harness.ends = () => SUCCEEDED), 0);
    isFirst = false;
    return SUCCEEDED;
  });
  const done = await reached(harness, "Complete");
  assert.equal(done.status?.succeeded, 3);
});

test("a deleted Job lets its pods go, whoever deletes them", async () => {
  await using harness = await openJob({ completions: 2, parallelism: 2 }, () => undefined);
  const { client, until } = harness;
  const pods = async () => (await client.list(PODS)).items;
  await until("two pods", async () => (await pods()).length === 2);
  await client.delete(JOBS, ref, { propagationPolicy: "Background" });
  await until("no pods", async () => (await pods()).length === 0);
});

test("a replacement waits ten seconds, then twenty", async () => {
  const clock = new HandClock();
  await using harness = await openHarness({ clock });
  await harness.addNode("a");
  const { client, until } = harness;
  harness.ends = () => failedWith(1);
  await client.create(JOBS, job({ completions: 1 }));
  const failures = async () => (await client.get(JOBS, ref)).status?.failed ?? 0;
  const advance = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) await clock.pass(500);
  };
  await until("first failure", async () => {
    await clock.pass(100);
    return (await failures()) === 1;
  });
  await advance(4_000);
  assert.equal(await failures(), 1);
  await until("second failure", async () => {
    await clock.pass(100);
    return (await failures()) === 2;
  });
  assert.ok(clock.now() - Date.parse("2026-01-01T00:00:00Z") >= 10_000);
});
