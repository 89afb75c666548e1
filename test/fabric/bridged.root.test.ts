/** Pods that reach each other, and themselves, through an address that is translated on their own node: the answer crosses
 *  the bridge only, and must meet connection tracking there. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressOf } from "#addr/cidr";
import type { Family } from "#addr/family";
import { FAMILY } from "#addr/family";
import { openFakeClient } from "#kube/fake/client";
import { NODES } from "#kube/resources";
import { eventually, Machines } from "./machines.ts";
import { type NodeAgent, nodeObject, startAgent } from "./node-agent.ts";
import { Pod } from "./pod.ts";

const SETTINGS = ["net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"];
const SERVICE = { 4: "10.43.0.77", 6: "fd43::77" } as const;
const [PORT_OF_A, PORT_OF_B] = [70, 71];

const machines = new Machines(`twt-${process.pid}-br`);
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
stack.use(machines);
const one = machines.add("one");
let agent: NodeAgent;
let a: Awaited<ReturnType<typeof startPod>>;
let b: Awaited<ReturnType<typeof startPod>>;

async function startPod(name: string) {
  const { ns, path } = machines.netns(name);
  const { ips, gateways } = agent.network.add({ containerId: name, ifname: "eth0", netns: ns });
  return { ips: ips.map(addressOf), gateways, pod: stack.use(await Pod.start(path)) };
}

/** What a service proxy does for two services of one endpoint each: translate, and masquerade who asks itself. */
function translate(family: Family, a: string, b: string): string {
  const { nft } = FAMILY[family];
  const to = (port: number, pod: string) =>
    `${nft} daddr ${SERVICE[family]} tcp dport ${port} dnat to ${family === 4 ? pod : `[${pod}]`}:7`;
  return `table ${nft} twt-services {
    chain pre { type nat hook prerouting priority -100; ${to(PORT_OF_A, a)}; ${to(PORT_OF_B, b)}; }
    chain post { type nat hook postrouting priority 100; ${nft} saddr ${a} ${nft} daddr ${a} masquerade; }
  }`;
}

before(async () => {
  for (const name of SETTINGS) one.kernel.sysctl.write(name, 0);
  const client = openFakeClient();
  await client.create(NODES, nodeObject(one, 0));
  agent = stack.use(await startAgent(one, client));
  [a, b] = [await startPod("a"), await startPod("b")];
  for (const [i, family] of ([4, 6] as const).entries())
    one.kernel.nft.run(translate(family, a.ips[i] ?? "", b.ips[i] ?? ""));
});

test("a pod reaches its neighbour through a translated address, and is seen by its own", async () => {
  for (const [i, family] of ([4, 6] as const).entries())
    assert.equal(await a.pod.askTcp(SERVICE[family], PORT_OF_B), a.ips[i], `IPv${family}`);
});

test("a pod reaches itself through a translated address, by way of its gateway", async () => {
  for (const [i, family] of ([4, 6] as const).entries())
    assert.equal(await a.pod.askTcp(SERVICE[family], PORT_OF_A), a.gateways[i], `IPv${family}`);
});

test("someone who turns it off has it turned on again", async () => {
  for (const name of SETTINGS) one.kernel.sysctl.write(name, 0);
  await eventually("on again", () => SETTINGS.every((name) => one.kernel.sysctl.read(name) === "1"));
  assert.equal(await a.pod.askTcp(SERVICE[4], PORT_OF_B), a.ips[0]);
});
