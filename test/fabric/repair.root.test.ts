/** What others take from a node's pods while they talk comes back, and the pods' network moves when the node's subnet does. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressOf } from "#addr/cidr";
import type { SandboxNetwork } from "#cni/model";
import { Machines } from "./machines.ts";
import { openNetwork, subnetsOf } from "./node-agent.ts";
import { Pod } from "./pod.ts";

const machines = new Machines(`twt-${process.pid}-re`);
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
stack.use(machines);
const one = machines.add("one");
const outside = machines.add("outside");
const HOST_PORT = 8080;
let network: SandboxNetwork;
let host: Pod;
let stranger: Pod;
let a: Awaited<ReturnType<typeof startPod>>;
let b: Awaited<ReturnType<typeof startPod>>;

async function startPod(
  name: string,
  portMappings: Parameters<SandboxNetwork["add"]>[0]["portMappings"] = [],
) {
  const { ns, path } = machines.netns(name);
  const added = network.add({ containerId: name, ifname: "eth0", netns: ns, portMappings });
  return { added, ips: added.ips.map(addressOf), pod: stack.use(await Pod.start(path)) };
}

before(async () => {
  for (const name of ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
    one.kernel.sysctl.write(name, 1);
  network = openNetwork(one, { podCidrs: subnetsOf(1), mtuBytes: 1430 });
  host = stack.use(await Pod.start(one.path));
  stranger = stack.use(await Pod.start(outside.path));
  a = await startPod("a", [{ hostPort: HOST_PORT, containerPort: 7, protocol: "TCP" }]);
  b = await startPod("b");
});

for (const [what, text] of [
  ["the table", "delete table inet twill-hostports"],
  ["the table's rules", "flush table inet twill-hostports"],
  ["all that anybody has", "flush ruleset"],
] as const)
  test(`host ports: someone removes ${what}`, async () => {
    assert.equal(await stranger.askTcp(one.ips[0], HOST_PORT), outside.ips[0]);
    one.kernel.nft.run(text);
    assert.equal(await stranger.askTcp(one.ips[0], HOST_PORT), undefined);
    network.repair();
    assert.equal(await stranger.askTcp(one.ips[0], HOST_PORT), outside.ips[0]);
  });

test("someone removes the bridge: pods have each other, themselves and the node again, under the MACs they know", async () => {
  const { netlink } = one.kernel;
  const before = netlink.findLink("cni0");
  assert.ok(before);
  assert.equal(await a.pod.askTcp(b.ips[0] ?? ""), a.ips[0]);
  netlink.deleteLink(before.index);
  assert.equal(await a.pod.askUdp(b.ips[0] ?? ""), undefined);
  network.repair();
  assert.equal(netlink.findLink("cni0")?.mac, before.mac);
  for (const [i, to] of b.ips.entries()) {
    assert.equal(await a.pod.askTcp(to), a.ips[i]);
    assert.equal(
      await host.askTcp(to),
      network.podCidrs[i]?.replace(/(::|\.0)\/.*$/, i === 0 ? ".1" : "::1"),
    );
  }
  assert.equal(await stranger.askTcp(one.ips[0], HOST_PORT), outside.ips[0]);
});

test("a repair of what is whole changes nothing", async () => {
  using witness = one.kernel.openIn(one.ns);
  const heard: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  using _ = witness.openChanges(
    { links: ["cni0", "last"], neighborsOf: ["cni0"], nftables: true },
    (kinds) => {
      heard.push(...kinds);
      resolve();
    },
  );
  const generation = one.kernel.nft.generation();
  network.repair();
  one.kernel.netlink.addLink({ kind: "bridge", name: "last" });
  await promise;
  assert.deepEqual(heard, ["links"]);
  assert.equal(one.kernel.nft.generation(), generation);
});

test("with another subnet and MTU the bridge moves, and pods that come talk to each other and the node", async () => {
  network.adjust({ podCidrs: subnetsOf(2), mtuBytes: 1400 });
  const [c, d] = [await startPod("c"), await startPod("d")];
  assert.equal(c.ips[0], "10.42.2.2");
  for (const [i, to] of d.ips.entries()) {
    assert.equal(await c.pod.askTcp(to), c.ips[i]);
    assert.ok(await host.askTcp(to));
  }
  assert.equal(one.kernel.netlink.findLink("cni0")?.mtuBytes, 1400);
  network.remove({ containerId: "a", ifname: "eth0" });
  assert.equal(one.kernel.netlink.findLink(a.added.hostVeth), undefined);
});
