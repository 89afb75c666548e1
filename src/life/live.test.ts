import assert from "node:assert/strict";
import { test } from "node:test";
import { always, LiveValue, mapLive } from "./live.ts";

test("whoever subscribes hears each change until it stops", () => {
  const live = new LiveValue(1);
  const doubled = mapLive(live, (n) => n * 2);
  const heard: number[] = [];
  const subscription = doubled.subscribe((now) => {
    heard.push(now);
    if (now === 6) subscription[Symbol.dispose]();
  });
  for (const n of [2, 3, 4]) live.set(n);
  assert.deepEqual([heard, doubled.current], [[4, 6], 8]);
  using _ = always(5).subscribe(() => assert.fail("it never changes"));
});
