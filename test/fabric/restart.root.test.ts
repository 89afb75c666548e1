import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressOf } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { HOST_GW } from "#fabric/model";
import type { Node } from "#kube/generated/types";
import { formatFlannelNode } from "#wire/flannel-annotations";
import { AgentChild } from "./agent-child.ts";
import type { AgentReport } from "./agent-process.ts";
import { paperNode } from "./kernel-listing.ts";
import { type Machine, Machines } from "./machines.ts";
import { nodeObject, openNetwork, subnetsOf } from "./node-agent.ts";
import { Pod } from "./pod.ts";

const machines = new Machines(`twt-${process.pid}-rs`);
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
stack.use(machines);
const [one, two] = [machines.add("one"), machines.add("two")];
const running = new Map<Machine, AgentChild>();
stack.defer(async () => {
  for (const machine of [...running.keys()]) await kill(machine);
});

/** A Node that has announced itself already, as every node has after its first run. */
function announced(machine: Machine, number: number): Node {
  const end = (publicIp: Ip, family: number) => ({
    vni: 1,
    mac: parseMac(`02:00:00:00:0${number}:0${family}`),
    publicIp,
  });
  const annotations = formatFlannelNode({
    kind: "vxlan",
    ends: { 4: end(machine.ips[0], 4), 6: end(machine.ips[1], 6) },
  });
  const node = nodeObject(machine, number);
  return { ...node, metadata: { ...node.metadata, annotations } };
}

async function start(machine: Machine, nodes: readonly Node[]): Promise<AgentReport> {
  const child = AgentChild.spawn(machine, nodes);
  running.set(machine, child);
  return child.report;
}

async function kill(machine: Machine): Promise<void> {
  await running.get(machine)?.kill();
}

const nodes = [announced(one, 0), announced(two, 1)];
let a: Pod;
let b: { readonly ips: readonly Ip[] };

before(async () => {
  for (const machine of [one, two]) await start(machine, nodes);
  a = (await startPod(one, 0, "a")).pod;
  b = await startPod(two, 1, "b");
});

/** Wired from here, as another process of the node would: what is written down is what counts. */
async function startPod(machine: Machine, number: number, name: string) {
  const { ns, path } = machines.netns(name);
  const podCidrs = nodes[number]?.spec?.podCIDRs ?? [];
  assert.deepEqual(podCidrs, subnetsOf(number));
  using network = openNetwork(machine, { podCidrs: subnetsOf(number), mtuBytes: 1430 });
  const { ips } = network.add({ containerId: name, ifname: "eth0", netns: ns });
  return { pod: stack.use(await Pod.start(path)), ips: ips.map(addressOf) };
}

for (const family of [0, 1] as const)
  test(`killed and run again under traffic, ${family === 0 ? "IPv4" : "IPv6"}: no packet is lost and nothing is touched`, async () => {
    const [to] = b.ips.slice(family);
    assert.ok(to);
    const devices = () =>
      ["flannel.1", "flannel-v6.1", "cni0"].map((name) => one.kernel.netlink.findLink(name));
    const stood = devices();
    await a.startStream(to, 2);
    await kill(one);
    const report = await start(one, nodes);
    const { sent, lost } = await a.stopStream();
    assert.deepEqual(
      { lost, ops: report.ops, attachments: report.attachments },
      { lost: [], ops: 0, attachments: 1 },
    );
    assert.ok(sent > 50, `${sent} packets make no test`);
    assert.deepEqual(devices(), stood);
  });

test("what belongs to nodes that left while nobody ran is removed, and pods keep talking", async () => {
  await kill(one);
  const { netlink } = one.kernel;
  const link = netlink.findLink("flannel.1")?.index ?? 0;
  const ghost = { mac: parseMac("02:00:00:00:09:04"), gateway: subnetsOf(9)[0], vtep: one.ips[0] };
  const to = ghost.gateway;
  assert.ok(to);
  netlink.replaceNeighbor({ link, ip: addressOf(to), mac: ghost.mac });
  netlink.replaceFdb({ link, mac: ghost.mac, vtep: ghost.vtep });
  netlink.replaceRoute({ to, via: addressOf(to), link, onlink: true });
  const [pod] = b.ips;
  assert.ok(pod);
  await a.startStream(pod, 2);
  const report = await start(one, nodes);
  assert.deepEqual((await a.stopStream()).lost, []);
  assert.equal(report.ops, 3);
  assert.deepEqual(
    netlink.listRoutes(4).filter((route) => route.to === to),
    [],
  );
  assert.deepEqual(
    netlink.listFdb(link).filter(({ mac }) => mac === ghost.mac),
    [],
  );
  assert.deepEqual(
    netlink.listNeighbors(4).filter(({ mac }) => mac === ghost.mac),
    [],
  );
});

test("a device that fits no more is made anew with its MAC", async () => {
  await kill(one);
  const { netlink } = one.kernel;
  const before = netlink.findLink("flannel.1");
  assert.ok(before);
  netlink.deleteLink(before.index);
  const vxlan = {
    vni: 77,
    port: 4789,
    underlay: before.vxlan?.underlay ?? 0,
    local: one.ips[0],
    learning: true,
  };
  netlink.addLink({ kind: "vxlan", name: "flannel.1", vxlan });
  await start(one, nodes);
  const now = netlink.findLink("flannel.1");
  assert.deepEqual({ ...now, index: 0 }, { ...before, index: 0 });
  const [pod] = b.ips;
  assert.ok(pod);
  assert.ok(await a.askUdp(pod));
});

test("over plain routes, too: killed and run again under traffic, no packet is lost and nothing is touched", async () => {
  const plain = stack.use(new Machines(`twt-${process.pid}-rh`));
  const [three, four] = [plain.add("three"), plain.add("four")];
  const kind = HOST_GW.kind;
  const papers = [three, four].map(({ name, ips }, number) =>
    paperNode({ name, number, kind, ips, macs: ["", ""] }),
  );
  const run = async (machine: Machine) => {
    const child = stack.use(AgentChild.spawn(machine, papers, HOST_GW));
    return { child, report: await child.report };
  };
  const { child } = await run(three);
  await run(four);
  const ends = [three, four].map((machine, number) => {
    const { ns, path } = plain.netns(`pod${number}`);
    using network = openNetwork(machine, { podCidrs: subnetsOf(number), mtuBytes: 1500 });
    const { ips } = network.add({ containerId: `pod${number}`, ifname: "eth0", netns: ns });
    return { path, ips: ips.map(addressOf) };
  });
  const [from, to] = await Promise.all(ends.map(async ({ path }) => stack.use(await Pod.start(path))));
  assert.ok(from && to);
  let living = child;
  for (const address of ends[1]?.ips ?? []) {
    await from.startStream(address, 2);
    await living.kill();
    const { child: next, report } = await run(three);
    living = next;
    const { sent, lost } = await from.stopStream();
    assert.deepEqual({ lost, ops: report.ops }, { lost: [], ops: 0 }, address);
    assert.ok(sent > 50, `${sent} packets make no test`);
  }
});
