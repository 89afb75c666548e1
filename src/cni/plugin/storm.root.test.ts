/** Many sandboxes at once through the executable, some calls and once the agent killed: nothing may be left behind. As many as
 *  `TWILL_STORM` says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { PluginRig } from "../testing/plugin-rig.ts";

const SANDBOXES = Number(process.env["TWILL_STORM"] ?? 200);
const AT_ONCE = 32;
const CALL_ENDS_WITHIN_MS = 60_000;

test(`${SANDBOXES} sandboxes come and go at once, with kills in between`, { timeout: 600_000 }, async (t) => {
  await using rig = new PluginRig("storm", { podCidrs: ["10.42.0.0/16", "fd42:0:0:3::/64"] });
  await rig.startAgent();
  let state = 3;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % below;
  };
  let [next, killed, refused, agentsKilled] = [0, 0, 0, 0];
  const seen = new Map<string, string>();

  const liveOne = async (n: number) => {
    const id = `c${n}`;
    const netns = rig.pathOf(id);
    rig.netns(id);
    const config = {
      runtimeConfig: {
        ...(n % 3 === 0
          ? { portMappings: [{ hostPort: 1000 + n, containerPort: 80, protocol: "tcp" }] }
          : {}),
        ...(n % 5 === 0 ? { bandwidth: { egressRate: 8_000_000, ingressRate: 8_000_000 } } : {}),
      },
    };
    const added = await rig.call("ADD", {
      id,
      netns,
      config,
      ...(random(4) === 0 ? { killAfterMs: random(40) } : {}),
    });
    if (added.code === null) killed += 1;
    else if (added.code !== 0) refused += 1;
    else {
      const { ips } = JSON.parse(added.stdout) as { ips: { address: string }[] };
      for (const { address } of ips) {
        assert.equal(seen.get(address), undefined, `${address} was given to ${seen.get(address)} and ${id}`);
        seen.set(address, id);
      }
    }
    // Some runtimes die before they remove what they added; collecting is for those.
    if (random(10) === 0) return;
    const deadline = performance.now() + CALL_ENDS_WITHIN_MS;
    for (;;) {
      const kill = random(6) === 0 ? { killAfterMs: random(30) } : {};
      for (const [address, holder] of seen) if (holder === id) seen.delete(address);
      const removed = await rig.call("DEL", { id, netns: random(2) === 0 ? netns : "", config, ...kill });
      if (removed.code === 0) return;
      if (removed.code === null) killed += 1;
      else assert.equal((JSON.parse(removed.stdout) as { code: number }).code, 11, removed.stdout);
      assert.ok(performance.now() < deadline, `${id} can be removed`);
      await wait(20);
    }
  };
  const worker = async () => {
    for (let n = next++; n < SANDBOXES; n = next++) await liveOne(n);
  };
  const reaper = async () => {
    while (next < SANDBOXES / 2) await wait(10);
    await rig.stopAgent("SIGKILL");
    agentsKilled += 1;
    await rig.startAgent();
  };
  await Promise.all([reaper(), ...Array.from({ length: AT_ONCE }, worker)]);
  assert.equal((await rig.call("GC", { config: { "cni.dev/valid-attachments": [] } })).code, 0);
  t.diagnostic(`${killed} calls killed, ${refused} refused, ${agentsKilled} agent killed`);
  assert.ok(killed > 0 && agentsKilled === 1);
  assert.deepEqual(rig.leftovers(), []);
});
