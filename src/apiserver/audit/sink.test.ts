import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readIfThere } from "#disk/whole-file";
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { AuditFile } from "./sink.ts";

const directory = mkdtempSync(join(tmpdir(), "audit-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const lines: string[] = [];
const log = openLog({ write: (line) => void lines.push(line), level: "warn" });
const limits = { maxSizeMb: 0, maxBackups: 0, maxAgeDays: 0 };

test("a full file is put aside, and only so many are kept", async () => {
  const path = join(directory, "full", "audit.log");
  const file = new AuditFile({ ...limits, path, maxSizeMb: 1, maxBackups: 2 }, { clock: systemClock, log });
  let now = Date.parse("2024-01-01T00:00:00Z");
  const moving = { ...systemClock, now: () => (now += 1000) };
  const rotating = new AuditFile({ ...limits, path, maxSizeMb: 1, maxBackups: 2 }, { clock: moving, log });
  await file[Symbol.asyncDispose]();
  for (let i = 0; i < 5; i++) {
    rotating.write(String(i).repeat(700_000));
    while (!readIfThere(path)?.startsWith(String(i)))
      // it is not there while it is put aside
      await new Promise((resolve) => setImmediate(resolve));
  }
  await rotating[Symbol.asyncDispose]();
  const names = readdirSync(join(directory, "full")).sort();
  assert.equal(names.length, 3, names.join());
  assert.match(names[0] ?? "", /^audit-2024-01-01T00-00-\d\d\.000\.log$/);
  assert.ok(readFileSync(path, "utf8").startsWith("4"));
});

test("a disk that takes nothing keeps nobody waiting, and loses nothing once it does", async () => {
  const path = join(directory, "blocked.log");
  // a folder where the file should be
  mkdirSync(path);
  let retries = 0;
  const freed = Promise.withResolvers<void>();
  const clock = {
    now: () => 0,
    sleep: async () => {
      if (++retries === 2) await freed.promise;
    },
  };
  const file = new AuditFile({ ...limits, path }, { clock, log });
  for (let i = 0; i < 100; i++) file.write(`line ${i}`);
  while (retries < 2) await new Promise((resolve) => setImmediate(resolve));
  rmdirSync(path);
  freed.resolve();
  while (!existsSync(path) || readFileSync(path, "utf8").split("\n").length < 101)
    await new Promise((resolve) => setImmediate(resolve));
  await file[Symbol.asyncDispose]();
  assert.equal(readFileSync(path, "utf8"), Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join(""));
  assert.equal(lines.filter((line) => /cannot be written/.test(line)).length, 1);
  assert.equal(lines.filter((line) => /written again/.test(line)).length, 1);
});
