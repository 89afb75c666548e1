import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readIfThere, writeFileAtomic } from "./file.ts";

const dir = mkdtempSync(join(tmpdir(), "twill-file-"));
after(() => rmSync(dir, { recursive: true }));

test("a file is written with its folders and mode; what stands already is left alone", () => {
  const path = join(dir, "a/b");
  assert.equal(readIfThere(path), undefined);
  writeFileAtomic(path, "x", 0o600);
  const first = statSync(path);
  assert.equal(first.mode & 0o777, 0o600);
  writeFileAtomic(path, "x", 0o600);
  assert.equal(statSync(path).ino, first.ino);
  chmodSync(path, 0o644);
  writeFileAtomic(path, "x", 0o600);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeFileAtomic(path, "y", 0o600);
  assert.equal(readFileSync(path, "utf8"), "y");
});

test("what cannot be written or read is a sentence, and leaves nothing behind", () => {
  mkdirSync(join(dir, "folder"));
  writeFileSync(join(dir, "file"), "");
  for (const [path, says] of [
    ["folder", /^Cannot read .*\/folder: it is a folder$/],
    ["file/below", /^Cannot read .*\/file\/below: a part of that path is a file/],
  ] as const) {
    assert.throws(() => readIfThere(join(dir, path)), { code: "BadFile", message: says });
    assert.throws(() => writeFileAtomic(join(dir, path), "x", 0o600), { code: "BadFile" });
  }
  assert.deepEqual(readdirSync(dir).sort(), ["a", "file", "folder"]);
});
