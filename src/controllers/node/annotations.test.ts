import assert from "node:assert/strict";
import { test } from "node:test";
import { CacheLifetime } from "./annotations.ts";

test("kubelets keep things for longer in larger clusters, and a little up and down changes nothing", () => {
  const lifetime = new CacheLifetime();
  const after = (nodes: number) => {
    lifetime.observe(nodes);
    return lifetime.seconds;
  };
  assert.deepEqual([1, 100, 101, 95, 89].map(after), [0, 0, 15, 15, 0]);
  assert.deepEqual([2500, 1900, 1799, 501, 449, 3].map(after), [300, 300, 60, 30, 15, 0]);
});
