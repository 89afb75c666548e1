/** A node whose agent is killed again and again while it changes its backend: its pods and its peer's notice nothing. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressOf } from "#addr/cidr";
import { HOST_GW, VXLAN } from "#fabric/model";
import type { Node } from "#kube/generated/types";
import { NODES } from "#kube/resources";
import { AgentChild } from "./agent-child.ts";
import { nodeObject, openNetwork, subnetsOf } from "./node-agent.ts";
import { Pod } from "./pod.ts";
import { byFamily, type RigNode } from "./rig.ts";
import { assertNothingLost, DEVICES, RollingCluster, type RollingNode, waysTo } from "./rolling.ts";
import { Traffic } from "./traffic.ts";

const NUMBER = 7;
/** From before it has opened anything to after it has told the API. */
const KILLED_AFTER_MS = [200, 300, 400, 550];
const PATIENCE_MS = 20_000;
const cluster = new RollingCluster("kill");
const stack = new AsyncDisposableStack();
after(async () => {
  await stack.disposeAsync();
  await cluster[Symbol.asyncDispose]();
});
const machine = cluster.rig.addMachine("killed");
const { client } = cluster.rig;
let child: AgentChild;
let peer: RollingNode;
let pod: { readonly name: string; readonly netns: string; readonly ips: RollingNode["pod"]["ips"] };

/** Carries what each side says over to the other, for the killed one has an API of its own. */
async function exchange(): Promise<readonly Node[]> {
  const { metadata } = await client.get(NODES, { name: machine.name });
  if (JSON.stringify(metadata.annotations ?? {}) !== JSON.stringify(child.annotations)) {
    const annotations = { ...child.annotations };
    await client.patch(NODES, { name: machine.name }, { metadata: { annotations } }, { type: "merge" });
  }
  const { items } = await client.list(NODES);
  child.tell(items);
  return items;
}

async function exchangeUntil(what: string, check: () => boolean, patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!check()) {
    assert.ok(Date.now() < deadline, `never came true: ${what}`);
    await exchange();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Its next life, which begins with what the API knows. */
async function spawn(backend: typeof VXLAN | typeof HOST_GW): Promise<void> {
  const { items } = await client.list(NODES);
  const annotations = items.find(({ metadata }) => metadata.name === machine.name)?.metadata.annotations;
  child = stack.use(AgentChild.spawn(machine, items, backend));
  child.annotations = annotations ?? {};
}

before(async () => {
  peer = await cluster.add("stays", VXLAN);
  for (const device of ["all", "default", "eth0"])
    machine.kernel.sysctl.write(`net/ipv4/conf/${device}/rp_filter`, 1);
  await client.create(NODES, nodeObject(machine, NUMBER));
  await spawn(VXLAN);
  const { podCidrs, mtuBytes } = { podCidrs: subnetsOf(NUMBER), mtuBytes: 1430 };
  await child.report;
  const { ns, path } = cluster.rig.machines.netns("pod-killed");
  using network = openNetwork(machine, { podCidrs, mtuBytes });
  const { ips } = network.add({ containerId: "pod", ifname: "eth0", netns: ns });
  stack.use(await Pod.start(path));
  pod = { name: "pod-killed", netns: path, ips: byFamily(ips.map(addressOf)) };
});

test("killed whenever it wants, a node still changes its backend without losing a packet", async () => {
  const own: Pick<RigNode, "machine"> = { machine };
  const bothBy = (kind: keyof typeof DEVICES) =>
    waysTo(peer, NUMBER).join() === DEVICES[kind].join() &&
    waysTo({ ...peer, ...own }, peer.number).join() === DEVICES[kind].join();
  await exchangeUntil("a tunnel", () => bothBy("vxlan"));
  await using traffic = await Traffic.start([peer.pod, pod], { everyMs: 8 });
  for (const ms of KILLED_AFTER_MS) {
    await child.kill();
    await spawn(HOST_GW);
    const until = Date.now() + ms;
    await exchangeUntil("its time", () => Date.now() >= until);
  }
  await child.kill();
  await spawn(HOST_GW);
  await child.report;
  await cluster.restart(peer, HOST_GW);
  await exchangeUntil("plain routes", () => bothBy("host-gw"));
  await assertNothingLost(traffic, 4);
});
