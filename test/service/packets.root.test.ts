/** Every row of the packet table with sockets, in both families, through the program as it stands in a real kernel; and what stands
 *  there, walked once more. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FAMILIES } from "#addr/family";
import type { Kernel } from "#kernel/kernel";
import { closeLoopback, openLoopback } from "#kernel/loopback-guard";
import { SETTINGS } from "./cases.ts";
import { putScenes, Routed, routeSetting } from "./routed.ts";
import { sceneNodes } from "./scene-objects.ts";
import { shootAll } from "./shot-in-kernel.ts";
import { STEPS, scenesAt } from "./stories.ts";
import { astray, shotsOf } from "./walked.ts";
import { Witness } from "./witness.ts";
import { ServiceWorld } from "./world.ts";

let world: ServiceWorld;
const texts: string[] = [];
before(async () => {
  world = await ServiceWorld.open();
});
after(() => world[Symbol.asyncDispose]());

for (const setting of SETTINGS)
  test(`packets in the kernel, ${setting.name}`, async () => {
    using _ = setting.config.localhostNodePorts ? openedLoopback(world.kernel) : undefined;
    await using routed = await routeSetting(world.kernel, setting, { texts });
    assert.deepEqual(routed.faults, []);
    using witness = new Witness(world.foreign.nft);
    const shots = FAMILIES.flatMap((family) => shotsOf(setting.scenes, family));
    for (const family of FAMILIES)
      assert.deepEqual(astray(routed.table(family), shotsOf(setting.scenes, family)), []);
    const sent = shots.filter(({ protocol }) => protocol !== "sctp");
    assert.deepEqual(await shootAll(world, witness, sent), []);
  });

function openedLoopback(kernel: Kernel): Disposable {
  openLoopback(kernel);
  return { [Symbol.dispose]: () => closeLoopback(kernel) };
}

test("services that change in the kernel, step by step", async () => {
  await using routed = new Routed(world.kernel, { texts });
  for (const node of sceneNodes()) routed.nodes.put(node);
  await routed.start();
  for (let step = 0; step < STEPS; step++) {
    const scenes = scenesAt(step);
    await routed.change(() => putScenes(routed, scenes));
    using witness = new Witness(world.foreign.nft);
    const shots = FAMILIES.flatMap((family) => shotsOf(scenes, family));
    const sent = shots.filter(({ protocol }) => protocol !== "sctp");
    assert.deepEqual(await shootAll(world, witness, sent), [], `step ${step}`);
  }
  assert.deepEqual(routed.faults, []);
});
