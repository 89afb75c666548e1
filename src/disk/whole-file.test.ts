import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { keepWhole, readIfThere, writeWhole } from "./whole-file.ts";

const dir = mkdtempSync(join(tmpdir(), "twt-disk-"));
after(() => rmSync(dir, { recursive: true, force: true }));

test("a file is written with its folders and its mode, and nothing is left beside it", () => {
  const path = join(dir, "a/b/file");
  writeWhole(path, "one", { mode: 0o666 });
  writeWhole(path, new TextEncoder().encode("two"), { mode: 0o600, isFlushed: true });
  assert.equal(readFileSync(path, "utf8"), "two");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(dir, "a/b")), ["file"]);
});

test("what cannot be put in place leaves what stood, and nothing beside it", () => {
  const path = join(dir, "folder");
  writeWhole(join(path, "inside"), "kept", { mode: 0o600 });
  assert.throws(() => writeWhole(path, "a file over a folder", { mode: 0o600 }), /EISDIR|ENOTEMPTY|EEXIST/);
  assert.equal(readFileSync(join(path, "inside"), "utf8"), "kept");
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.endsWith(".tmp")),
    [],
  );
});

test("what is as it should be is left alone; another mode or content is not", () => {
  const path = join(dir, "kept");
  const long = new Date("2001-01-01");
  keepWhole(path, "text", { mode: 0o644 });
  for (const [content, mode, isTouched] of [
    ["text", 0o644, false],
    ["text", 0o600, true],
    ["other", 0o600, true],
  ] as const) {
    utimesSync(path, long, long);
    keepWhole(path, content, { mode });
    assert.equal(statSync(path).mtime > long, isTouched, `${content} ${mode.toString(8)}`);
    assert.equal(readIfThere(path), content);
  }
});

test("a file that is not there has no content; a folder is an error", () => {
  assert.equal(readIfThere(join(dir, "nothing")), undefined);
  assert.throws(() => readIfThere(dir), /EISDIR/);
});
