import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Fault } from "#fault/fault";
import { Cell } from "#life/cell";
import { HandClock } from "#life/testing/hand-clock";
import type { Logger } from "#telemetry/log";
import { keepRight } from "./keep-right.ts";
import { BY_ITSELF, reconcile, type Stages } from "./loop.ts";

/** Time that a test moves. */
/** A number outside that is to be as the snapshot says. */
class Outside implements Stages<number, number, number> {
  value = 0;
  looks = 0;
  refusals = 0;

  desired(snapshot: number): number {
    return snapshot;
  }

  plan(want: number, known: number): readonly number[] {
    return want === known ? [] : [want];
  }

  render(ops: readonly number[]): string {
    return ops.join();
  }

  apply(ops: readonly number[], known: number) {
    if (this.refusals-- > 0) return { state: known, faults: [new Fault("Refused", "no")] };
    this.value = ops[0] ?? known;
    return { state: this.value, faults: [] };
  }

  observe(): number {
    this.looks++;
    return this.value;
  }
}

let stop: AbortController;
let outside: Outside;
let clock: HandClock;
let snapshots: Cell<number>;
let disturbances: Cell<unknown>;
let said: string[];
let running: Promise<void>;
const RESYNC_MS = 60_000;

beforeEach(async () => {
  stop = new AbortController();
  outside = new Outside();
  clock = new HandClock();
  snapshots = new Cell();
  disturbances = new Cell();
  said = [];
  const say = (text: string) => void said.push(text);
  const log: Logger = { error: say, warn: say, info: say, debug() {}, child: () => log };
  const { signal } = stop;
  running = reconcile(outside, {
    snapshots: snapshots.values({ signal }),
    disturbances: disturbances.values({ signal }),
    resyncMs: RESYNC_MS,
    clock,
    log,
    signal,
  });
  snapshots.set(1);
  await clock.pass(0);
  assert.deepEqual([outside.value, outside.looks], [1, 1]);
});

afterEach(async () => {
  stop.abort(new Error("over"));
  await running;
});

function disturb(): void {
  outside.value = 7;
  disturbances.set(undefined);
}

test("a disturbance is looked at at once, and told", async () => {
  disturb();
  await clock.pass(0);
  assert.deepEqual([outside.value, outside.looks], [1, 2]);
  assert.equal(said.length, 1);
});

test("what has come true by itself is looked at too, and is no repair", async () => {
  outside.value = 7;
  disturbances.set(BY_ITSELF);
  await clock.pass(0);
  assert.deepEqual([outside.value, outside.looks, said], [1, 2, []]);
});

test("one that has changed nothing costs one look and no word", async () => {
  disturbances.set(undefined);
  await clock.pass(1000);
  assert.deepEqual([outside.looks, said], [2, []]);
});

test("a burst is two looks: the first at once, one for the rest", async () => {
  for (let n = 0; n < 50; n++) {
    disturb();
    await clock.pass(1);
  }
  await clock.pass(100);
  assert.deepEqual([outside.value, outside.looks], [1, 3]);
});

test("without news nobody looks until the resync", async () => {
  await clock.pass(RESYNC_MS - 1);
  outside.value = 7;
  assert.equal(outside.looks, 1);
  await clock.pass(1);
  assert.deepEqual([outside.value, outside.looks], [1, 2]);
});

test("a fight is bounded, told once, and over when it is", async () => {
  for (let n = 0; n < 6000; n++) {
    if (outside.value === 1) disturb();
    await clock.pass(10);
  }
  assert.ok(outside.looks < 20 + 60 + 5, `${outside.looks} looks`);
  assert.equal(said.filter((text) => text.includes("again and again")).length, 1);
  await clock.pass(1000);
  assert.equal(outside.value, 1);
  await clock.pass(31_000);
  disturbances.set(undefined);
  await clock.pass(0);
  assert.match(said.at(-1) ?? "", /stays now/);
});

test("what is refused is tried again with growing waits, from what stands", async () => {
  outside.refusals = 3;
  snapshots.set(2);
  await clock.pass(0);
  assert.deepEqual([outside.value, outside.looks], [1, 1]);
  await clock.pass(99);
  assert.equal(outside.looks, 1);
  await clock.pass(1);
  assert.equal(outside.looks, 2);
  await clock.pass(200 + 400);
  assert.deepEqual([outside.value, outside.looks], [2, 4]);
  await clock.pass(RESYNC_MS / 2);
  assert.equal(outside.looks, 4);
  // The same refusal is told once, and again after it was over.
  assert.equal(said.length, 1);
  outside.refusals = 1;
  snapshots.set(3);
  await clock.pass(0);
  assert.equal(said.length, 2);
});

test("a bug in a stage and a source that breaks end the loop", async () => {
  const bug = reconcile(
    {
      ...outside,
      plan: () => assert.fail("a bug"),
      desired: (n: number) => n,
      observe: () => 0,
      render: String,
      apply: () => ({ state: 0, faults: [] }),
    },
    {
      snapshots: (async function* () {
        yield 1;
      })(),
      clock,
      log: { error() {}, warn() {}, info() {}, debug() {}, child: () => assert.fail() },
      signal: stop.signal,
    },
  );
  await assert.rejects(bug, /a bug/);
});

test("what needs no plan is put right at the start, and after disturbances", async () => {
  const found = [["a bridge"], [], ["a table"]];
  said.length = 0;
  const log: Logger = {
    error() {},
    warn() {},
    info: (text) => void said.push(text),
    debug() {},
    child: () => log,
  };
  const cell = new Cell<void>();
  const kept = keepRight(() => found.shift() ?? [], {
    disturbances: cell.values(stop),
    clock,
    log,
    signal: stop.signal,
  });
  await clock.pass(0);
  for (let left = 2; left >= 0; left--) {
    assert.equal(found.length, left);
    cell.set();
    await clock.pass(100);
  }
  assert.equal(said.length, 1);
  stop.abort(new Error("over"));
  await kept;
});
