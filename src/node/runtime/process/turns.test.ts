import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextRound } from "node:timers/promises";
import { Turns } from "./turns.ts";

test("those with endless work have as many turns, and others are heard in between", async () => {
  const turns = new Turns();
  const count = [0, 0, 0];
  const endless = count.map((_, i) => () => {
    count[i] = (count[i] ?? 0) + 1;
    const end = performance.now() + 2;
    while (performance.now() < end);
    const again = endless[i];
    if (again) turns.ask(again);
  });
  for (const work of endless) turns.ask(work);
  for (let round = 0; round < 10; round++) await nextRound();
  assert.ok(Math.min(...count) >= 3, String(count));
  assert.ok(Math.max(...count) - Math.min(...count) <= 1, String(count));
  for (const work of endless) turns.cancel(work);
  const before = [...count];
  await nextRound();
  assert.deepEqual(count, before);
});

test("work that is asked for twice is done once", async () => {
  const turns = new Turns();
  let done = 0;
  const work = () => void done++;
  turns.ask(work);
  turns.ask(work);
  await nextRound();
  await nextRound();
  assert.equal(done, 1);
});
