import assert from "node:assert/strict";
import { test } from "node:test";
import { Schedule } from "./schedule.ts";

const MINUTE_MS = 60_000;

/** Asks whoever is due, once a second, for `forMs`. @returns when each was asked */
function run(schedule: Schedule, forMs: number, isSilent: (key: string) => boolean, fromMs = 0) {
  const asked: { key: string; atMs: number }[] = [];
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += 1_000)
    for (let turn = schedule.take(nowMs); turn; turn = schedule.take(nowMs)) {
      asked.push({ key: turn.key, atMs: nowMs });
      schedule.finish(turn, { nowMs, isSilent: isSilent(turn.key) });
    }
  return asked;
}

test("one that answers is asked at once, then every half minute", () => {
  const schedule = new Schedule();
  schedule.follow(new Set(["a"]));
  const asked = run(schedule, 2 * MINUTE_MS, () => false);
  assert.deepEqual(
    asked.map(({ atMs }) => atMs),
    [0, 30_000, 60_000, 90_000],
  );
});

test("of a thousand one is asked a second, and none is forgotten", () => {
  const schedule = new Schedule();
  const keys = Array.from({ length: 1000 }, (_, i) => `node-${i}`);
  schedule.follow(new Set(keys));
  assert.equal(run(schedule, 1_000, () => false).length, 1000);
  const hour = run(schedule, 60 * MINUTE_MS, () => false, 1_000);
  assert.equal(new Set(hour.map(({ key }) => key)).size, 1000);
  const bySecond = Map.groupBy(hour, ({ atMs }) => atMs);
  assert.ok([...bySecond.values()].every(({ length }) => length <= 2));
  assert.ok(hour.length >= 2500 && hour.length <= 3600, `${hour.length} in an hour`);
});

test("one that is silent is asked again soon, then every few seconds", () => {
  const schedule = new Schedule();
  schedule.follow(new Set(["a"]));
  const asked = run(schedule, 20_000, () => true);
  assert.deepEqual(
    asked.map(({ atMs }) => atMs),
    [0, 2_000, 6_000, 11_000, 16_000],
  );
});

test("a thousand that are silent cost four questions a second", () => {
  const schedule = new Schedule();
  schedule.follow(new Set(Array.from({ length: 1000 }, (_, i) => `node-${i}`)));
  const asked = run(schedule, 60 * MINUTE_MS, () => true);
  assert.ok(asked.length > 10_000 && asked.length < 22_000, `${asked.length} in an hour`);
});

test("one that left is not asked, one that changed is asked at once, and neither is confused with what it was", () => {
  const schedule = new Schedule();
  schedule.follow(new Set(["a", "b"]));
  const [a, b] = [schedule.take(0), schedule.take(0)];
  assert.ok(a && b);
  assert.equal(schedule.take(0), undefined);
  schedule.follow(new Set(["b"]));
  schedule.restart("b");
  assert.deepEqual([schedule.isCurrent(a), schedule.isCurrent(b)], [false, false]);
  const again = schedule.take(0);
  assert.equal(again?.key, "b");
  schedule.finish(b, { nowMs: 0, isSilent: false });
  assert.equal(again?.isRunning, true);
  assert.equal(schedule.waitMs(0), undefined);
});

test("who is due soon is waited for; rare ones are gathered", () => {
  const schedule = new Schedule();
  schedule.follow(new Set(["a"]));
  assert.equal(schedule.waitMs(10), 0);
  const turn = schedule.take(0);
  assert.ok(turn);
  schedule.finish(turn, { nowMs: 0, isSilent: true });
  assert.equal(schedule.waitMs(500), 1_500);
  schedule.finish(turn, { nowMs: 0, isSilent: false });
  assert.equal(schedule.waitMs(0), 35_000);
});
