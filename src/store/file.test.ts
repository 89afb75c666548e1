import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { Database } from "./database.ts";
import { openStore } from "./open.ts";
import { seeded } from "./testing/model.ts";
import { scratchDirectory } from "./testing/scratch.ts";

const directory = scratchDirectory("file");
after(() => rmSync(directory, { recursive: true, force: true }));
const MIB = 1024 * 1024;

function sizes(path: string): { main: number; wal: number } {
  return { main: statSync(path).size, wal: statSync(`${path}-wal`).size };
}

test("churn on few keys leaves a small file, and what a great burst took is given back", () => {
  const path = join(directory, "churn.db");
  using database = new Database(path);
  const value = "v".repeat(3500);
  let revision = 0;
  const put = (key: string, text: string | undefined) => {
    const [result] = database.commit([{ key, value: text, expected: undefined }]);
    if (result?.kind === "written") revision = result.revision;
  };
  let largest = 0;
  for (let round = 0; round < 10; round++) {
    const from = revision;
    for (let i = 0; i < 500; i++) put(`/k/${i % 20}`, value);
    while (database.compactStep(from) || database.shrinkStep());
    if (round === 2) largest = sizes(path).main;
  }
  assert.ok(sizes(path).main <= largest * 1.1, `${sizes(path).main} after ${largest}`);
  assert.ok(sizes(path).wal <= 17 * MIB);
  const burst = Array.from({ length: 8000 }, (_, i) => ({ key: `/b/${i}`, value, expected: undefined }));
  database.commit(burst);
  revision = database
    .commit(burst.map(({ key, expected }) => ({ key, value: undefined, expected })))
    .reduce((newest, result) => Math.max(newest, result.revision), 0);
  while (database.compactStep(revision) || database.shrinkStep());
  for (let i = 0; i < 3000; i++) put(`/k/${i % 20}`, value);
  while (database.compactStep(revision) || database.shrinkStep());
  for (let i = 0; i < 600; i++) put(`/k/${i % 20}`, value);
  assert.ok(sizes(path).main < 24 * MIB, `${sizes(path).main}`);
  assert.ok(sizes(path).wal <= 17 * MIB, `${sizes(path).wal}`);
});

test("a file from before layouts had numbers is taken as it is", async () => {
  const path = join(directory, "old.db");
  using old = new DatabaseSync(path);
  old.exec(`PRAGMA journal_mode = WAL;
    CREATE TABLE log (revision INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, previous INTEGER NOT NULL, value TEXT);
    CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO log VALUES (7, '/a', 0, 'kept'); INSERT INTO facts VALUES ('compacted', 6);`);
  old.close();
  await using store = await openStore({ path });
  assert.deepEqual([...store.replay()], [[{ revision: 7, key: "/a", value: "kept" }]]);
  assert.deepEqual(store.loaded, { revision: 7, compacted: 6 });
  assert.deepEqual(await store.write({ key: "/b", value: "x", expected: 0 }), {
    kind: "written",
    revision: 8,
  });
});

test("a later version's file and another program's are refused and left alone", async () => {
  for (const [name, sql, says] of [
    [
      "later.db",
      "CREATE TABLE log (x); CREATE TABLE facts (x); PRAGMA user_version = 9",
      /later version wrote.*layout 9/,
    ],
    [
      "other.db",
      "CREATE TABLE bookmarks (x); INSERT INTO bookmarks VALUES ('theirs')",
      /another program's database/,
    ],
  ] as const) {
    const path = join(directory, name);
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
    const before = readFileSync(path);
    await assert.rejects(openStore({ path }), { code: "StoreUnusable", message: says });
    assert.deepEqual(readFileSync(path), before, name);
  }
});

test("a damaged file is either read right or refused with a sentence, and never made worse", async () => {
  const path = join(directory, "sound.db");
  {
    using database = new Database(path);
    for (let i = 0; i < 60; i++)
      database.commit([{ key: `/k/${i % 20}`, value: `${i}`.repeat(400), expected: undefined }]);
  }
  const sound = readFileSync(path);
  const random = seeded(3);
  let refused = 0;
  for (let round = 0; round < 12; round++) {
    const broken = Buffer.from(sound);
    const damaged = join(directory, `damaged-${round}.db`);
    const at = round === 0 ? 0 : 4096 * random(Math.floor(broken.length / 4096));
    broken.fill(random(256), at, at + 200);
    writeFileSync(damaged, round === 1 ? broken.subarray(0, 5000) : broken);
    const before = readFileSync(damaged);
    try {
      await using store = await openStore({ path: damaged });
      for (const { key } of [...store.replay()].flat()) assert.match(key, /^\/k\/\d+$/);
    } catch (error) {
      refused++;
      assert.match(
        String(error),
        /Cannot open the store .*damaged-\d+\.db: .*(damaged|no SQLite|another program|put a copy)/,
      );
      assert.deepEqual(readFileSync(damaged), before, "left as it was");
    }
  }
  assert.ok(refused >= 6, `${refused}`);
});
