import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Family } from "#addr/family";
import { type FabricBackend, HOST_GW, VXLAN } from "#fabric/model";
import type { Clock } from "#life/clock";
import { systemClock } from "#life/clock";
import { eventually } from "./machines.ts";
import { type NodeAgent, startAgent, subnetsOf } from "./node-agent.ts";
import { Rig, type RigNode, type RigPod } from "./rig.ts";
import { Traffic } from "./traffic.ts";

/** Time that passes so many times as fast. */
function fastClock(factor: number): Clock {
  const start = Date.now();
  return {
    now: () => start + (Date.now() - start) * factor,
    sleep: (ms, options) => systemClock.sleep(ms / factor, options),
  };
}

const FAMILIES: readonly Family[] = [4, 6];
const clock = fastClock(20);
const rig = new Rig({ label: "roll", families: FAMILIES });
after(() => rig[Symbol.asyncDispose]());
const agents = new Map<RigNode, NodeAgent>();
after(async () => {
  for (const agent of agents.values()) await agent[Symbol.asyncDispose]();
});
const pods: (RigPod & { readonly netns: string })[] = [];

before(async () => {
  for (const name of ["one", "two", "three"]) {
    const machine = rig.addMachine(name);
    for (const device of ["all", "default", "eth0"])
      machine.kernel.sysctl.write(`net/ipv4/conf/${device}/rp_filter`, 1);
    const node = await rig.addNode(name, VXLAN, machine);
    const pod = await rig.addPod(node, `pod-${name}`);
    pods.push({ ...pod, netns: `${machine.path.slice(0, -name.length)}${pod.name}` });
  }
  await rig.converge();
});

/** Another life of the node, with another backend. */
async function restart(node: RigNode, backend: FabricBackend): Promise<void> {
  await (agents.get(node) ?? node.agent)[Symbol.asyncDispose]();
  agents.set(node, await startAgent(node.machine, rig.client, { backend, clock }));
}

/** The device by which a node sends to another one, by family. */
function waysTo(from: RigNode, to: RigNode): readonly (string | undefined)[] {
  const { netlink } = from.machine.kernel;
  return FAMILIES.map((family, i) => {
    const subnet = subnetsOf(to.number)[i];
    const route = netlink.listRoutes(family).find((each) => each.to === subnet);
    return netlink.listLinks().find(({ index }) => index === route?.link)?.name;
  });
}

function pairs(): readonly (readonly [RigNode, RigNode])[] {
  return rig.nodes.flatMap((a) => rig.nodes.filter((b) => b !== a).map((b) => [a, b] as const));
}

const DEVICES: Readonly<Record<FabricBackend["kind"], readonly string[]>> = {
  vxlan: ["flannel.1", "flannel-v6.1"],
  "host-gw": ["eth0", "eth0"],
  wireguard: ["flannel-wg", "flannel-wg-v6"],
};

async function everybodyBy(kind: FabricBackend["kind"]): Promise<void> {
  for (const [from, to] of pairs())
    await eventually(
      `${from.machine.name} sends to ${to.machine.name} by ${kind}`,
      () => waysTo(from, to).join() === DEVICES[kind].join(),
    );
}

for (const [from, to] of [
  [VXLAN, HOST_GW],
  [HOST_GW, VXLAN],
] as const)
  test(`from ${from.kind} to ${to.kind}, node by node: not one packet is lost`, async () => {
    await everybodyBy(from.kind);
    await using traffic = await Traffic.start(pods, { everyMs: 5 });
    for (const node of rig.nodes) await restart(node, to);
    await everybodyBy(to.kind);
    for (const { machine } of rig.nodes)
      for (const device of DEVICES[from.kind].filter((name) => name !== "eth0"))
        await eventually(`${machine.name} has no ${device}`, () => !machine.kernel.netlink.findLink(device));
    for (const { machine } of rig.nodes)
      await eventually(
        `${machine.name}'s eth0 is strict again`,
        () => machine.kernel.sysctl.read("net/ipv4/conf/eth0/rp_filter") === "1",
      );
    const reports = await traffic.stop();
    assert.equal(reports.length, 12);
    for (const { from, to, sent, lost, isStreamWhole } of reports) {
      assert.ok(sent > 50, `${sent} packets from ${from} to ${to} make no test`);
      assert.deepEqual({ from, to, lost, isStreamWhole }, { from, to, lost: [], isStreamWhole: true });
    }
  });
