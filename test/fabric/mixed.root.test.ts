/** Our nodes change their backend beside a node of flannel's own, which is nothing but typed commands: its entries are those that
 *  flannel makes of the annotations it found at its start. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseMac } from "#addr/mac";
import { LINGER_MS } from "#fabric/linger";
import { HOST_GW, VXLAN } from "#fabric/model";
import { NODES } from "#kube/resources";
import { formatFlannelNode, readFlannelNode } from "#wire/flannel-annotations";
import { addVxlan, addVxlanPeer, podNetns, wirePod } from "./by-hand.ts";
import { eventually } from "./machines.ts";
import { nodeObject, subnetsOf } from "./node-agent.ts";
import { Pod } from "./pod.ts";
import type { RigPod } from "./rig.ts";
import { assertNothingLost, BOTH, DEVICES, RollingCluster, waysTo } from "./rolling.ts";
import { Traffic } from "./traffic.ts";

const NUMBER = 7;
const MACS = [parseMac("02:aa:bb:cc:dd:04"), parseMac("02:aa:bb:cc:dd:06")] as const;
const cluster = new RollingCluster("mix");
const stack = new AsyncDisposableStack();
after(async () => {
  await stack.disposeAsync();
  await cluster[Symbol.asyncDispose]();
});
const pods: (Pick<RigPod, "name" | "ips"> & { readonly netns: string })[] = [];

async function saidBy(name: string) {
  const { metadata } = await cluster.rig.client.get(NODES, { name });
  return readFlannelNode(metadata.annotations ?? {});
}

before(async () => {
  for (const name of ["one", "two"]) pods.push((await cluster.add(name, VXLAN)).pod);
  const machine = cluster.rig.addMachine("flannel");
  const subnets = subnetsOf(NUMBER);
  for (const [i, name] of DEVICES.vxlan.entries()) {
    const [local, subnet, mac] = [machine.ips[i], subnets[i], MACS[i]];
    assert.ok(local && subnet && mac);
    addVxlan(machine, { name, local, mac, subnet });
    for (const { machine: other, number } of cluster.nodes) {
      const said = await saidBy(other.name);
      assert.ok(said.kind === "vxlan");
      const end = said.ends[BOTH[i] ?? 4];
      const theirs = subnetsOf(number)[i];
      assert.ok(end && theirs);
      addVxlanPeer(machine, { name, local: end.publicIp, mac: end.mac, subnet: theirs });
    }
  }
  const netns = podNetns(cluster.rig.machines, machine);
  const ips = wirePod(machine, { path: netns, subnets, mtuBytes: 1430 });
  stack.use(await Pod.start(netns));
  pods.push({ name: "pod-flannel", ips, netns });
  const [four, six] = machine.ips;
  const node = nodeObject(machine, NUMBER);
  const annotations = formatFlannelNode({
    kind: "vxlan",
    ends: {
      4: { vni: 1, mac: MACS[0], publicIp: four },
      6: { vni: 1, mac: MACS[1], publicIp: six },
    },
  });
  await cluster.rig.client.create(NODES, { ...node, metadata: { ...node.metadata, annotations } });
});

test("flannel's node is reached all the time, for nothing that it goes by changes", async () => {
  const before = await Promise.all(cluster.nodes.map(({ machine }) => saidBy(machine.name)));
  for (const node of cluster.nodes)
    await eventually("a way to flannel's node", () => waysTo(node, NUMBER).join() === DEVICES.vxlan.join());
  await using traffic = await Traffic.start(pods, { everyMs: 8 });
  for (const node of cluster.nodes) await cluster.restart(node, HOST_GW);
  await cluster.settled("host-gw");
  for (const node of cluster.nodes) assert.deepEqual(waysTo(node, NUMBER), DEVICES.vxlan);
  await assertNothingLost(traffic, 12);
  assert.deepEqual(await Promise.all(cluster.nodes.map(({ machine }) => saidBy(machine.name))), before);
});

test("when it has left, nothing of its language is spoken any more", async () => {
  await cluster.rig.client.delete(NODES, { name: "flannel" });
  for (const node of cluster.nodes)
    await eventually("it is forgotten", () => waysTo(node, NUMBER).every((device) => device === undefined));
  cluster.letPass(LINGER_MS);
  for (const { machine } of cluster.nodes) {
    for (const device of DEVICES.vxlan)
      await eventually(`${machine.name} has no ${device}`, () => !machine.kernel.netlink.findLink(device));
    assert.equal((await saidBy(machine.name)).kind, "host-gw");
  }
});
