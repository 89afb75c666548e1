import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, retry } from "./backoff.ts";
import { Cell } from "./cell.ts";
import { type Clock, systemClock, ticks } from "./clock.ts";
import { WorkQueue } from "./work-queue.ts";

/** A clock whose sleeps end at once and are written down. */
function instantClock(): Clock & { readonly slept: number[] } {
  const slept: number[] = [];
  let now = 0;
  return {
    slept,
    now: () => now,
    async sleep(ms, { signal }) {
      signal.throwIfAborted();
      slept.push(ms);
      now += ms;
    },
  };
}

test("back-off doubles up to its cap and starts over", () => {
  const backoff = new Backoff({ firstMs: 10, maxMs: 50 });
  assert.deepEqual(
    [1, 2, 3, 4].map(() => backoff.nextMs()),
    [10, 20, 40, 50],
  );
  backoff.reset();
  assert.equal(backoff.nextMs(), 10);
});

test("retry waits longer each time and gives up when told", async () => {
  const clock = instantClock();
  let tries = 0;
  const attempt = async () => {
    if (++tries < 4) throw new Error(`try ${tries}`);
    return tries;
  };
  const { signal } = new AbortController();
  assert.equal(await retry(attempt, { clock, shape: { firstMs: 1, maxMs: 100 }, signal }), 4);
  assert.deepEqual(clock.slept, [1, 2, 4]);
  const giveUp = (error: unknown) => {
    throw error;
  };
  await assert.rejects(
    retry(async () => Promise.reject(new Error("no")), {
      clock,
      shape: { firstMs: 1, maxMs: 1 },
      signal,
      onFailure: giveUp,
    }),
    /no/,
  );
});

test("an aborted sleep rejects with the signal's own reason, and ticks just end", async () => {
  const stop = new AbortController();
  const sleep = systemClock.sleep(60_000, { signal: stop.signal });
  const reason = new Error("enough");
  stop.abort(reason);
  await assert.rejects(sleep, (error) => error === reason);
  for await (const _ of ticks(systemClock, 60_000, { signal: stop.signal }))
    assert.fail("a tick after the end");
});

test("a cell hands over only the newest value, and ends when aborted", async () => {
  const cell = new Cell<number>();
  const stop = new AbortController();
  const seen: number[] = [];
  cell.set(1);
  cell.set(2);
  for await (const value of cell.values({ signal: stop.signal })) {
    seen.push(value);
    const setTwice = () => {
      for (const next of [3, 4]) cell.set(next);
    };
    if (value === 2) setImmediate(setTwice);
    if (value === 4) setImmediate(() => stop.abort());
  }
  assert.deepEqual(seen, [2, 4]);
});

test("a key is never worked on twice at a time, and one added meanwhile runs once more", async () => {
  const stop = new AbortController();
  let running = 0;
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const queue = new WorkQueue<string>({
    clock: systemClock,
    signal: stop.signal,
    workers: 2,
    backoff: { firstMs: 1, maxMs: 2 },
    onFailure: () => assert.fail("nothing fails here"),
    async work(key) {
      assert.ok(++running <= 2);
      order.push(key);
      if (key === "a" && order.length === 1) await gate.promise;
      running--;
      return undefined;
    },
  });
  queue.add("a");
  queue.add("a");
  queue.add("b");
  queue.add("a");
  gate.resolve();
  await queue.whenIdle();
  assert.deepEqual(order, ["a", "b", "a"]);
  stop.abort();
});

test("a failed key comes back later, and a success forgets its failures", async () => {
  const stop = new AbortController();
  const waits: number[] = [];
  const done = Promise.withResolvers<void>();
  let tries = 0;
  const queue = new WorkQueue<string>({
    clock: systemClock,
    signal: stop.signal,
    workers: 1,
    backoff: { firstMs: 1, maxMs: 8 },
    onFailure: (_key, _error, waitMs) => waits.push(waitMs),
    async work() {
      if (++tries < 4) throw new Error("not yet");
      done.resolve();
      return undefined;
    },
  });
  queue.add("k");
  await done.promise;
  assert.deepEqual(waits, [1, 2, 4]);
  stop.abort();
});
