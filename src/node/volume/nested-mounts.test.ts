import assert from "node:assert/strict";
import { test } from "node:test";
import { nestedMountPoints } from "./nested-mounts.ts";

const cases: readonly [name: string, mounts: readonly string[], nested: readonly string[]][] = [
  ["one inside", ["config:/etc/coredns", "custom:/etc/coredns/custom"], ["custom"]],
  ["only the uppermost", ["config:/a", "x:/a/b/c/d", "y:/a/b"], ["b"]],
  ["beside is not inside", ["config:/etc", "x:/etcetera", "y:/var/etc"], []],
  ["slashes and dots", ["config:/a/", "x:/a//b/../c"], ["c"]],
  ["nothing leads out", ["config:/a", "x:/a/../../b"], []],
  ["the root", ["config:/", "x:/b"], ["b"]],
];
for (const [name, mounts, nested] of cases) {
  test(`mount points inside a volume: ${name}`, () => {
    const volumeMounts = mounts.map((text) => {
      const [volume = "", mountPath = ""] = text.split(":");
      return { name: volume, mountPath };
    });
    const pod = { metadata: { name: "p" }, spec: { containers: [{ name: "c", volumeMounts }] } };
    assert.deepEqual(nestedMountPoints("config", pod), nested);
  });
}
