import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { openStore } from "./open.ts";
import type { Change, Store } from "./store.ts";
import { scratchDirectory } from "./testing/scratch.ts";

const directory = scratchDirectory("open");
after(() => rmSync(directory, { recursive: true, force: true }));

function replayed(store: Store): Change[] {
  return [...store.replay()].flat();
}

test("a write is numbered, told to the listener before it is acknowledged, and found after reopening", async () => {
  const path = join(directory, "a.db");
  const heard: Change[] = [];
  {
    await using store = await openStore({ path });
    store.subscribe((changes) => heard.push(...changes));
    const first = await store.write({ key: "/a", value: "1", expected: 0 });
    assert.deepEqual(first, { kind: "written", revision: 1 });
    assert.deepEqual(heard, [{ revision: 1, key: "/a", value: "1" }]);
    await store.write({ key: "/a", value: "2", expected: 1 });
    await store.write({ key: "/b", value: "x", expected: undefined });
    await store.write({ key: "/b", value: undefined, expected: 3 });
  }
  await using again = await openStore({ path });
  assert.equal(again.loaded.revision, 4);
  assert.deepEqual(
    replayed(again).map(({ revision, key, value }) => [revision, key, value]),
    [
      [1, "/a", "1"],
      [2, "/a", "2"],
      [3, "/b", "x"],
      [4, "/b", undefined],
    ],
  );
});

test("a write that expects another state changes nothing and says what is there", async () => {
  await using store = await openStore({ path: join(directory, "b.db") });
  await store.write({ key: "/a", value: "1", expected: 0 });
  for (const { name, write, revision } of [
    { name: "create over an object", write: { key: "/a", value: "2", expected: 0 }, revision: 1 },
    { name: "update of another state", write: { key: "/a", value: "2", expected: 7 }, revision: 1 },
    { name: "update of nothing", write: { key: "/z", value: "2", expected: 1 }, revision: 0 },
    { name: "delete of nothing", write: { key: "/z", value: undefined, expected: undefined }, revision: 0 },
  ])
    assert.deepEqual(await store.write(write), { kind: "conflict", revision }, name);
});

test("of many writers that expect the same state, one wins", async () => {
  await using store = await openStore({ path: join(directory, "c.db") });
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, i) => store.write({ key: "/a", value: String(i), expected: 0 })),
  );
  assert.equal(results.filter(({ kind }) => kind === "written").length, 1);
});

test("compaction forgets superseded states, keeps the present, and is remembered", async () => {
  const path = join(directory, "d.db");
  {
    await using store = await openStore({ path });
    for (let i = 1; i <= 2500; i++)
      await store.write({ key: `/${i % 10}`, value: String(i), expected: undefined });
    await store.write({ key: "/0", value: undefined, expected: undefined });
    await store.write({ key: "/1", value: "last", expected: undefined });
    await store.compact(2501);
  }
  await using again = await openStore({ path });
  assert.equal(again.loaded.compacted, 2501);
  assert.equal(again.loaded.revision, 2502);
  const keys = replayed(again)
    .map(({ key, value }) => `${key}=${value}`)
    .sort();
  assert.deepEqual(keys, [
    "/1=2491",
    "/1=last",
    "/2=2492",
    "/3=2493",
    "/4=2494",
    "/5=2495",
    "/6=2496",
    "/7=2497",
    "/8=2498",
    "/9=2499",
  ]);
  assert.deepEqual(await again.write({ key: "/0", value: "new", expected: 0 }), {
    kind: "written",
    revision: 2503,
  });
});

test("a closed store refuses", async () => {
  const store = await openStore({ path: join(directory, "f.db") });
  await store[Symbol.asyncDispose]();
  await assert.rejects(store.write({ key: "/a", value: "1", expected: 0 }), { code: "StoreClosed" });
});

test("a thread that ends unasked is told, and what waits for it is refused", async () => {
  const started: Worker[] = [];
  const note = (worker: Worker) => void started.push(worker);
  process.on("worker", note);
  const store = await openStore({ path: join(directory, "g.db") });
  process.off("worker", note);
  const [thread] = started;
  assert.ok(thread);
  await store.write({ key: "/a", value: "kept", expected: 0 });
  const ending = thread.terminate();
  await assert.rejects(store.write({ key: "/b", value: "1", expected: 0 }), { code: "StoreEnded" });
  await ending;
  assert.match((await store.ended).message, /^The store's thread ended with code \d+$/);
  await assert.rejects(store.write({ key: "/b", value: "1", expected: 0 }), { code: "StoreClosed" });
  await using again = await openStore({ path: join(directory, "g.db") });
  assert.deepEqual(replayed(again), [{ revision: 1, key: "/a", value: "kept" }]);
});

test("a file that cannot be used is refused with what to do", async () => {
  await using open = await openStore({ path: join(directory, "h.db") });
  writeFileSync(
    join(directory, "text.db"),
    "this is no database, and long enough to be looked at. ".repeat(40),
  );
  for (const [path, says] of [
    ["h.db", /h\.db: another process has it open.*--data-dir/],
    ["text.db", /no SQLite database/],
    ["text.db/below.db", /ENOTDIR|EEXIST/],
    ["..", /cannot be opened/],
  ] as const)
    await assert.rejects(openStore({ path: join(directory, path) }), {
      code: "StoreUnusable",
      message: says,
    });
  assert.equal(open.loaded.revision, 0);
});
