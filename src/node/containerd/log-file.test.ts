import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lastLines, rotateLog } from "./log-file.ts";

test("a log that has grown is moved aside three times at most, and its end can be read", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "twill-containerd-log-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "x.log");
  rotateLog(path, 10);
  assert.deepEqual(lastLines(path, 2), []);
  for (let round = 1; round <= 5; round++) {
    appendFileSync(path, `${round} first\n${round} second\n`);
    assert.deepEqual(lastLines(path, 1), [`${round} second`]);
    rotateLog(path, 10);
  }
  assert.deepEqual(readdirSync(dir).sort(), ["x.log", "x.log.1", "x.log.2", "x.log.3"]);
  assert.equal(readFileSync(path, "utf8"), "");
  assert.match(readFileSync(`${path}.1`, "utf8"), /^5/);
  assert.match(readFileSync(`${path}.3`, "utf8"), /^3/);
  writeFileSync(path, "old\nnew\n");
  assert.deepEqual(lastLines(path, 5, 4), ["new"]);
  assert.deepEqual(lastLines(path, 5, 8), []);
  writeFileSync(path, "small\n");
  rotateLog(path, 10);
  assert.equal(readFileSync(path, "utf8"), "small\n");
});
