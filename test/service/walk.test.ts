/** Every row of the packet table, walked through the program as it stands in a kernel in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILIES } from "#addr/family";
import { SETTINGS } from "./cases.ts";
import { kernelOfNode } from "./paper-node.ts";
import { putScenes, Routed, routeSetting } from "./routed.ts";
import { sceneNodes } from "./scene-objects.ts";
import { STEPS, scenesAt } from "./stories.ts";
import { astray, shotsOf } from "./walked.ts";

for (const setting of SETTINGS)
  test(`packets, ${setting.name}`, async () => {
    await using routed = await routeSetting(kernelOfNode(), setting);
    assert.deepEqual(routed.faults, []);
    for (const family of FAMILIES) {
      const table = routed.table(family);
      assert.deepEqual(astray(table, shotsOf(setting.scenes, family)), []);
    }
  });

test("services that change, step by step", async () => {
  await using routed = new Routed(kernelOfNode());
  for (const node of sceneNodes()) routed.nodes.put(node);
  await routed.start();
  for (let step = 0; step < STEPS; step++) {
    const scenes = scenesAt(step);
    await routed.change(() => putScenes(routed, scenes));
    for (const family of FAMILIES)
      assert.deepEqual(astray(routed.table(family), shotsOf(scenes, family)), [], `step ${step}`);
  }
  assert.deepEqual(routed.faults, []);
});
