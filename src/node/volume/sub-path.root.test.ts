import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { unmountAll } from "#kernel/mount";
import { prepareEmptyDir } from "./empty-dir.ts";
import { bindSubPath } from "./sub-path.ts";

const dir = mkdtempSync(join(tmpdir(), "twt-subpath-"));
after(() => {
  unmountAll(dir);
  rmSync(dir, { recursive: true });
});

describe("a part of a volume", () => {
  const volume = join(dir, "volume");
  const target = (name: string) => join(dir, "parts", name);
  mkdirSync(join(volume, "in/deep"), { recursive: true });
  writeFileSync(join(volume, "in/deep/file"), "here");
  symlinkSync("in/deep", join(volume, "way"));
  symlinkSync("/etc", join(volume, "out"));
  symlinkSync("nowhere", join(volume, "dangling"));
  chmodSync(volume, 0o777);

  test("is a folder of it", () => {
    bindSubPath(volume, "in", target("folder"));
    assert.equal(readFileSync(join(target("folder"), "deep/file"), "utf8"), "here");
  });
  test("is a file of it", () => {
    bindSubPath(volume, "in/deep/file", target("file"));
    assert.equal(readFileSync(target("file"), "utf8"), "here");
  });
  test("is reached by links that stay inside", () => {
    bindSubPath(volume, "way/file", target("linked"));
    assert.equal(readFileSync(target("linked"), "utf8"), "here");
  });
  test("is made when it is missing, with the volume's mode", () => {
    bindSubPath(volume, "new/part", target("made"));
    assert.equal(statSync(join(volume, "new/part")).mode & 0o777, 0o777);
  });
  test("is what stands there at each start", () => {
    bindSubPath(volume, "in/deep/file", target("again"));
    rmSync(join(volume, "in/deep/file"));
    writeFileSync(join(volume, "in/deep/file"), "newer");
    bindSubPath(volume, "in/deep/file", target("again"));
    assert.equal(readFileSync(target("again"), "utf8"), "newer");
  });
  for (const [subPath, message] of [
    ["out", /leads out/],
    ["out/passwd", /leads out/],
    ["dangling", /link to nowhere/],
    ["dangling/x", /link to nowhere/],
  ] as const)
    test(`is not ${subPath}`, () =>
      assert.throws(() => bindSubPath(volume, subPath, target("refused")), {
        code: "CreateContainerConfigError",
        message,
      }));
});

test("an emptyDir in memory has the least size that anybody set, and its group", () => {
  const path = join(dir, "memory/volume");
  const limits = { memory: "3Mi", cpu: "1" };
  const pod = {
    metadata: { name: "p" },
    spec: { containers: [{ name: "c", resources: { limits } }], securityContext: { fsGroup: 1234 } },
  };
  const make = () =>
    prepareEmptyDir(path, { medium: "Memory", sizeLimit: "8Mi" }, { pod, allocatable: { memory: "64Mi" } });
  make();
  const { mode, gid } = statSync(path);
  assert.deepEqual([mode & 0o7777, gid], [0o3777, 1234]);
  assert.throws(() => writeFileSync(join(path, "big"), Buffer.alloc(4 << 20)), { code: "ENOSPC" });
  chmodSync(path, 0o700);
  make();
  assert.equal(statSync(path).mode & 0o777, 0o700, "what its containers made of it stays");
});
