import assert from "node:assert/strict";
import { test } from "node:test";
import { Lanes } from "./lanes.ts";

/** Work that is done when it is told so. */
function openWork() {
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    running,
    work: (name: string) => async () => {
      running.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      running.splice(running.indexOf(name), 1);
    },
    end: async (name: string) => {
      ends.get(name)?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test("one container's work is done in order, different ones' side by side and bounded", async () => {
  const { running, work, end } = openWork();
  const lanes = new Lanes(2);
  const all = [
    lanes.inOrder("a", work("a1")),
    lanes.inOrder("a", work("a2")),
    lanes.inOrder("b", work("b1")),
    lanes.inOrder("c", work("c1")),
  ];
  await settle();
  assert.deepEqual(running, ["a1", "b1"]);
  await end("b1");
  assert.deepEqual(running, ["a1", "c1"]);
  await end("a1");
  assert.deepEqual(running, ["c1", "a2"]);
  await end("a2");
  await end("c1");
  await Promise.all(all);
});

test("work on the whole network is done alone, and is not starved", async () => {
  const { running, work, end } = openWork();
  const lanes = new Lanes(2);
  const all = [lanes.inOrder("a", work("a1"))];
  await settle();
  all.push(lanes.alone(work("all")), lanes.inOrder("b", work("b1")));
  await settle();
  assert.deepEqual(running, ["a1"]);
  await end("a1");
  assert.deepEqual(running, ["all"]);
  all.push(lanes.alone(work("again")));
  await end("all");
  assert.deepEqual(running, ["again"]);
  await end("again");
  assert.deepEqual(running, ["b1"]);
  await end("b1");
  await Promise.all(all);
});

test("work that fails holds nobody up", async () => {
  const lanes = new Lanes(1);
  const fail = () => Promise.reject(new Error("no"));
  await assert.rejects(lanes.inOrder("a", fail));
  await assert.rejects(lanes.alone(fail));
  assert.equal(await lanes.inOrder("a", async () => 7), 7);
});
