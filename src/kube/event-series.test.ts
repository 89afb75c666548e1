import assert from "node:assert/strict";
import { test } from "node:test";
import { openLog } from "#telemetry/log";
import { openSeriesRecorder } from "./event-series.ts";
import { openFakeClient } from "./fake/client.ts";
import type { Pod } from "./generated/types.ts";
import { EVENTS, NAMESPACES } from "./resources.ts";

const pod = (resourceVersion: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "default", uid: "u", resourceVersion },
});
const failed = { type: "Warning", reason: "FailedScheduling", action: "Scheduling" } as const;

/** A clock whose only sleeper wakes when it is told to. */
function oneSleeper() {
  let now = Date.parse("2026-01-01T00:00:00Z");
  let wake = () => {};
  return {
    now: () => now,
    sleep: (_: number, { signal }: { signal: AbortSignal }) =>
      new Promise<void>((resolve, reject) => {
        wake = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    pass: (ms: number) => {
      now += ms;
      wake();
    },
  };
}

test("what is told again of the same object becomes a series, whose count is final once it is over", async () => {
  const clock = oneSleeper();
  const client = openFakeClient({ clock });
  await client.create(NAMESPACES, { metadata: { name: "default" } });
  const abort = new AbortController();
  const log = openLog({ write: () => {}, level: "error" });
  const recorder = openSeriesRecorder(client, {
    component: "default-scheduler",
    instance: "default-scheduler-host",
    clock,
    log,
    signal: abort.signal,
  });
  const events = async (count: number, isThere: (counts: readonly (number | undefined)[]) => boolean) => {
    for (let attempt = 0; ; attempt++) {
      const { items } = await client.list(EVENTS);
      if (items.length === count && isThere(items.map(({ series }) => series?.count))) return items;
      assert.ok(attempt < 1000, `not so: ${JSON.stringify(items)}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  for (let time = 0; time < 4; time++) recorder.record(pod("1"), { ...failed, message: `no room ${time}` });
  const [first] = await events(1, ([told]) => told === 4 || told === 2);
  const { action, message, eventTime, reportingComponent, reportingInstance, source, count } = first ?? {};
  assert.deepEqual(
    [action, message, eventTime, reportingComponent, reportingInstance, source, count],
    [
      "Scheduling",
      "no room 0",
      "2026-01-01T00:00:00.000000Z",
      "default-scheduler",
      "default-scheduler-host",
      undefined,
      undefined,
    ],
  );
  recorder.record(pod("2"), { ...failed, message: "another state of it" });
  await events(2, () => true);
  recorder.record(pod("1"), { ...failed, message: "again" });
  clock.pass(400_000);
  await events(2, (told) => told.includes(5));
  recorder.record(pod("1"), { ...failed, message: "long after" });
  await events(3, () => true);
  abort.abort();
});
