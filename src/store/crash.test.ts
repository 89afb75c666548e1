/** Power cuts and kills at any moment, against a model. What was acknowledged is there afterwards; what was under way is there whole or not at all. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Database } from "./database.ts";
import { assertHolds, Model, type Random, randomWrite, seeded } from "./testing/model.ts";
import { scratchDirectory } from "./testing/scratch.ts";

const directory = scratchDirectory("crash");
after(() => rmSync(directory, { recursive: true, force: true }));
const SECTOR_BYTES = 512;

for (const seed of [1, 2, 3])
  test(`writes, compactions and restarts agree with the model (seed ${seed})`, () => {
    const random = seeded(seed);
    const model = new Model();
    const path = join(directory, `model-${seed}.db`);
    let database = new Database(path);
    for (let step = 0; step < 400; step++) {
      const where = `seed ${seed} step ${step}`;
      switch (random(12)) {
        case 0:
          database[Symbol.dispose]();
          database = new Database(path);
          assertHolds(database, model, where);
          break;
        case 1: {
          const upTo = random(model.revision + 3);
          while (database.compactStep(upTo) || database.shrinkStep());
          model.compact(upTo);
          break;
        }
        default: {
          const writes = Array.from({ length: 1 + random(6) }, () => randomWrite(random, model));
          const wanted = writes.map((write) => model.write(write));
          assert.deepEqual(database.commit(writes), wanted, where);
        }
      }
    }
    database[Symbol.dispose]();
  });

for (const seed of [11, 12])
  test(`a power cut at any moment loses nothing that was acknowledged (seed ${seed})`, () => {
    const random = seeded(seed);
    const model = new Model();
    const path = join(directory, `power-${seed}.db`);
    using database = new Database(path);
    let before = read(path);
    for (let step = 0; step < 80; step++) {
      const old = model.copy();
      const writes = Array.from({ length: 1 + random(5) }, () => randomWrite(random, model));
      const wanted = writes.map((write) => model.write(write));
      assert.deepEqual(database.commit(writes), wanted);
      if (random(25) === 0) {
        const upTo = random(model.revision);
        while (database.compactStep(upTo));
        // Compaction has no sync of its own: the next commit syncs it along.
        database.commit([{ key: "/after", value: "x", expected: undefined }]);
        model.compact(upTo);
        model.write({ key: "/after", value: "x", expected: undefined });
        before = read(path);
        continue;
      }
      const now = read(path);
      for (let cut = 0; cut < 2; cut++) {
        const image = join(directory, `image-${seed}-${step}-${cut}.db`);
        tear(image, before, now, random);
        using crashed = new Database(image);
        const revision = crashed.loaded.revision;
        assert.ok(revision === old.revision || revision === model.revision, `${revision}`);
        assertHolds(crashed, revision === old.revision ? old : model, `seed ${seed} step ${step} cut ${cut}`);
        const more = { key: "/more", value: "y", expected: undefined };
        assert.deepEqual(crashed.commit([more]), [{ kind: "written", revision: revision + 1 }]);
      }
      before = now;
    }
  });

interface Files {
  readonly main: Buffer;
  readonly wal: Buffer;
}

function read(path: string): Files {
  const wal = `${path}-wal`;
  return { main: readFileSync(path), wal: existsSync(wal) ? readFileSync(wal) : Buffer.alloc(0) };
}

/** What a disk may hold when the power goes between two syncs: of the sectors that were written, any. The WAL is synced
 *  before the main file is touched. */
function tear(path: string, before: Files, now: Files, random: Random): void {
  const checkpointed = !before.main.equals(now.main);
  writeFileSync(`${path}-wal`, checkpointed ? now.wal : mixed(before.wal, now.wal, random));
  writeFileSync(path, checkpointed ? mixed(before.main, now.main, random) : now.main);
}

function mixed(before: Buffer, now: Buffer, random: Random): Buffer {
  const length = before.length + random(Math.max(1, now.length - before.length + 1));
  const out = Buffer.alloc(Math.max(before.length, length));
  before.copy(out);
  const share = random(5);
  for (let at = 0; at < now.length; at += SECTOR_BYTES)
    if (random(4) < share) now.copy(out, at, at, at + SECTOR_BYTES);
  return out;
}

test("what was acknowledged survives kill -9, round after round on one file", async () => {
  const path = join(directory, "kill.db");
  const program = join(directory, "writer.mjs");
  writeFileSync(program, WRITER);
  const open = new URL("./open.ts", import.meta.url).href;
  const acknowledged = new Map<string, string>();
  const random = seeded(5);
  let newest = 0;
  for (let round = 0; round < 6; round++) {
    const said = join(directory, `said-${round}`);
    const words = [program, open, path, said, String(round), String(20 + random(400))];
    const child = spawn(process.execPath, words, { stdio: "inherit" });
    const [, signal] = await once(child, "exit");
    assert.equal(signal, "SIGKILL");
    for (const line of readFileSync(said, "utf8").trimEnd().split("\n")) {
      const [key = "", value = "", revision = "0"] = line.split(" ");
      assert.ok(Number(revision) > newest, "revisions only rise, over restarts too");
      newest = Number(revision);
      acknowledged.set(key, value);
    }
    using database = new Database(path);
    const present = new Map([...database.load()].flat().map(({ key, value }) => [key, value]));
    for (const [key, value] of acknowledged)
      assert.ok(isOrFollows(present.get(key), value), `${key}: ${present.get(key)}, acknowledged ${value}`);
    assert.ok(database.loaded.revision >= newest);
  }
});

/** A later write of the same key may have been stored without its answer having come out. */
function isOrFollows(found: string | undefined, acknowledged: string): boolean {
  const [round, serial] = (found ?? "").split(".");
  const [wantRound, wantSerial] = acknowledged.split(".");
  return round === wantRound && Number(serial) >= Number(wantSerial);
}

/** Eight writers over forty keys; notes each write that was acknowledged, and kills itself while others are under way. */
const WRITER = `
import { openSync, writeSync } from "node:fs";
const [, , open, path, said, round, enough] = process.argv;
const { openStore } = await import(open);
const store = await openStore({ path });
const fd = openSync(said, "a");
let serial = 0;
let heard = 0;
for (let w = 0; w < 8; w++)
  void (async () => {
    for (let i = 0; ; i++) {
      const key = "/" + w + "/" + (i % 5);
      const value = round + "." + ++serial;
      const { revision } = await store.write({ key, value, expected: undefined });
      writeSync(fd, key + " " + value + " " + revision + "\\n");
      if (++heard === Number(enough)) setTimeout(() => process.kill(process.pid, "SIGKILL"), Math.random() * 3);
      if (i % 40 === 39 && w === 0) void store.compact(revision - 50);
    }
  })();
`;
