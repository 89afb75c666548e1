import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { addressOf, parseIpPrefix } from "#addr/cidr";
import { familyOf, formatEndpoint, type Ip } from "#addr/ip";
import { readGuardCounters } from "#fabric/guard-counters";
import { openFakeClient } from "#kube/fake/client";
import { NODES } from "#kube/resources";
import { FABRIC_ENDS_KEY } from "#wire/fabric-ends";
import { runIn } from "./by-hand.ts";
import { eventually, Machines } from "./machines.ts";
import { type NodeAgent, nodeObject, startAgent, subnetsOf } from "./node-agent.ts";
import { Pod } from "./pod.ts";

const machines = new Machines();
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
stack.use(machines);

const client = openFakeClient();
const [one, two, outside] = [machines.add("one"), machines.add("two"), machines.add("outside")];
const agents: NodeAgent[] = [];

/** A pod of `agent`, and its addresses. */
async function startPod(
  agent: NodeAgent,
  name: string,
  portMappings: Parameters<NodeAgent["network"]["add"]>[0]["portMappings"] = [],
) {
  const { ns, path } = machines.netns(name);
  const added = agent.network.add({ containerId: name, ifname: "eth0", netns: ns, portMappings });
  const pod = stack.use(await Pod.start(path));
  return { pod, ips: added.ips.map(addressOf), added };
}
let a: Awaited<ReturnType<typeof startPod>>;
let b: Awaited<ReturnType<typeof startPod>>;
let stranger: Pod;

before(async () => {
  for (const [i, machine] of [one, two].entries()) await client.create(NODES, nodeObject(machine, i));
  for (const machine of [one, two]) agents.push(stack.use(await startAgent(machine, client)));
  const [first, second] = agents;
  assert.ok(first && second);
  for (const { kernel } of [one, two])
    await eventually(
      "both know each other",
      () => kernel.netlink.listRoutes(6).filter((route) => route.onlink).length === 1,
    );
  a = await startPod(first, "a", [
    { hostPort: 8080, containerPort: 7, protocol: "TCP" },
    { hostPort: 8081, containerPort: 7, protocol: "UDP" },
  ]);
  b = await startPod(second, "b");
  stranger = stack.use(await Pod.start(outside.path));
});

test("the VXLAN device is listed as flannel's is, but for its MAC and what newer kernels add", () => {
  const text = runIn(one.path, "ip", "-d", "addr", "show", "flannel.1").replace(/\s+/g, " ");
  for (const part of [
    "flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN group default link/ether",
    `vxlan id 1 local ${one.ips[0]} dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx`,
    "inet 10.42.0.0/32 scope global flannel.1",
  ])
    assert.ok(text.includes(part), `${part}\nin ${text}`);
});

test("a node announces itself as flannel does, and plugins find its subnet", async () => {
  const node = await client.get(NODES, { name: "one" });
  const mac = (name: string) => one.kernel.netlink.findLink(name)?.mac;
  const { [FABRIC_ENDS_KEY]: own, ...flannel } = node.metadata.annotations ?? {};
  assert.ok(own);
  assert.deepEqual(flannel, {
    "flannel.alpha.coreos.com/kube-subnet-manager": "true",
    "flannel.alpha.coreos.com/backend-type": "vxlan",
    "flannel.alpha.coreos.com/backend-data": `{"VNI":1,"VtepMAC":"${mac("flannel.1")}"}`,
    "flannel.alpha.coreos.com/public-ip": one.ips[0],
    "flannel.alpha.coreos.com/backend-v6-data": `{"VNI":1,"VtepMAC":"${mac("flannel-v6.1")}"}`,
    "flannel.alpha.coreos.com/public-ipv6": one.ips[1],
  });
  assert.equal(
    readFileSync(`${one.dir}/subnet.env`, "utf8"),
    "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.0.1/24\nFLANNEL_IPV6_NETWORK=fd42::/56\nFLANNEL_IPV6_SUBNET=fd42::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n",
  );
});

test("pods of two nodes reach each other by their own addresses, in both families", async () => {
  for (const [i, to] of b.ips.entries()) {
    assert.equal(await a.pod.askTcp(to), a.ips[i], `TCP to ${to}`);
    assert.equal(await a.pod.askUdp(to), a.ips[i], `UDP to ${to}`);
    assert.equal(await a.pod.askUdp(to, { bytes: 1400 - 28 }), a.ips[i], `a large packet to ${to}`);
  }
});

test("a pod that talks to the world outside is seen as its node", async () => {
  for (const [i, to] of outside.ips.entries()) assert.equal(await a.pod.askTcp(to), one.ips[i]);
});

test("a tunnel packet from a machine that is no node is dropped, one from a node is not", async () => {
  const vtep = one.kernel.netlink.findLink("flannel.1");
  assert.ok(vtep?.mac);
  // The stranger builds the very tunnel a node would, and sends what a pod would.
  const { netlink } = outside.kernel;
  const eth0 = netlink.findLink("eth0");
  assert.ok(eth0);
  const vxlan = { vni: 1, port: 8472, underlay: eth0.index, local: outside.ips[0], learning: false };
  const { index: link } = netlink.addLink({ kind: "vxlan", name: "flannel.1", vxlan });
  netlink.changeLink(link, { isUp: true });
  const [subnet] = agents[0]?.ready.podCidrs ?? [];
  assert.ok(subnet);
  netlink.replaceNeighbor({ link, ip: addressOf(subnet), mac: vtep.mac });
  netlink.replaceFdb({ link, mac: vtep.mac, vtep: one.ips[0] });
  netlink.replaceRoute({ to: subnet, via: addressOf(subnet), link, onlink: true });
  const heard = await a.pod.countReceived();
  const dropped = () => readGuardCounters(one.kernel.nft)?.strangers.total.packets ?? 0;
  const droppedBefore = dropped();
  const [to] = a.ips;
  assert.ok(to);
  assert.equal(await stranger.askUdp(to), undefined);
  assert.ok(dropped() > droppedBefore, "the guard counted it");
  assert.equal(await a.pod.countReceived(), heard);
  netlink.deleteLink(link);
});

test("a host port leads to its pod: from outside, from another node, from the node itself, from the pod itself", async () => {
  const host = stack.use(await Pod.start(one.path));
  const other = stack.use(await Pod.start(two.path));
  for (const [i, to] of one.ips.entries()) {
    assert.equal(await stranger.askTcp(to, 8080), outside.ips[i], "from outside, with the caller's address");
    assert.equal(await stranger.askUdp(to, { port: 8081 }), outside.ips[i], "UDP");
    assert.equal(await other.askTcp(to, 8080), two.ips[i]);
    assert.ok(await host.askTcp(to, 8080), "from the node by its own address");
    assert.ok(await a.pod.askTcp(to, 8080), "the pod to itself");
  }
  assert.ok(await host.askTcp("127.0.0.1", 8080));
});

test("of an address that services have the service has it, whichever table came last; the host port has the others", async () => {
  const [agent] = agents;
  assert.ok(agent);
  const served = await startPod(agent, "served");
  const { nft, netlink, conntrack } = one.kernel;
  const eth0 = netlink.findLink("eth0")?.index ?? 0;
  const others = [parseIpPrefix("192.0.2.99/24"), parseIpPrefix("2001:db8:1::99/64")];
  for (const address of others) netlink.addAddress(eth0, address, { noDad: true });
  const answeredBy = async (ip: Ip | undefined) => {
    assert.ok(ip);
    for (const flow of conntrack.listFlows({ family: familyOf(ip), protocol: 6 })) conntrack.deleteFlow(flow);
    assert.ok(await stranger.askTcp(ip, 8080), `${ip} answers`);
    const flows = conntrack.listFlows({ family: familyOf(ip), protocol: 6 });
    return flows.find(({ original }) => original.destinationPort === 8080)?.reply.source;
  };
  // Hooks and priorities are those of kube-proxy, and so of Twill's own service program.
  const rules = one.ips.map(
    (ip, i) =>
      `meta nfproto ipv${familyOf(ip)} tcp dport 8080 ${i === 0 ? "ip" : "ip6"} daddr ${ip} dnat ${i === 0 ? "ip" : "ip6"} to ${formatEndpoint(served.ips[i] ?? ip, 7)}`,
  );
  const services = `table inet services { chain nat { type nat hook prerouting priority -100; ${rules.join("; ")}; }; }`;
  const isWhole = () =>
    nft.list("list tables").includes("twill-hostports") &&
    nft.list("list map inet twill-hostports ports4").includes("8080");
  for (const last of ["services", "host ports"]) {
    nft.run(services);
    if (last === "host ports") {
      nft.run("delete table inet twill-hostports");
      agent.network.repair();
      await eventually("the host ports are back", isWhole);
    }
    for (const i of [0, 1]) {
      assert.equal(await answeredBy(one.ips[i]), served.ips[i], `${last} last`);
      assert.equal(await answeredBy(others.map(addressOf)[i]), a.ips[i], `${last} last`);
    }
    nft.run("delete table inet services");
  }
  for (const address of others) netlink.deleteAddress(eth0, address);
  agent.network.remove({ containerId: "served", ifname: "eth0" });
});

test("what others removed comes back", async () => {
  const { netlink } = two.kernel;
  const link = netlink.findLink("flannel.1");
  assert.ok(link);
  // As an operator does with `ip link set flannel.1 down`, then up: routes and neighbours are gone.
  netlink.changeLink(link.index, { isUp: false });
  const [to] = b.ips;
  assert.ok(to);
  await eventually("routes are back", () => netlink.listRoutes(4).some((route) => route.onlink));
  assert.equal(await a.pod.askUdp(to), a.ips[0]);
});

test("a node that joins is reached, and when it is gone nothing of it is left", async () => {
  const three = machines.add("three");
  await client.create(NODES, nodeObject(three, 2));
  const agent = await startAgent(three, client);
  const c = await startPod(agent, "c");
  for (const [i, to] of c.ips.entries()) {
    const family = i === 0 ? 4 : 6;
    const isKnown = () => one.kernel.netlink.listRoutes(family).some((route) => route.to === subnetsOf(2)[i]);
    await eventually("the route to three", isKnown);
    assert.equal(await a.pod.askTcp(to), a.ips[i]);
  }
  await agent[Symbol.asyncDispose]();
  await client.delete(NODES, { name: "three" });
  const leftovers = () => {
    const { netlink, nft } = one.kernel;
    const [v4, v6] = ["flannel.1", "flannel-v6.1"].map((name) => netlink.findLink(name)?.index ?? 0);
    return [
      ...netlink.listRoutes(4).filter(({ to }) => to === subnetsOf(2)[0]),
      ...netlink.listRoutes(6).filter(({ to }) => to === subnetsOf(2)[1]),
      ...netlink.listNeighbors(4).filter(({ link, ip }) => link === v4 && ip === "10.42.2.0"),
      ...netlink.listFdb(v4 ?? 0).filter(({ vtep }) => vtep === three.ips[0]),
      ...netlink.listFdb(v6 ?? 0).filter(({ vtep }) => vtep === three.ips[1]),
      ...nft
        .list("list set inet twill-fabric members4")
        .split("\n")
        .filter((line) => line.includes(three.ips[0])),
    ];
  };
  await eventually("nothing is left", () => leftovers().length === 0);
});

test("what a container had goes with it, and a late removal takes nothing from its successor", async () => {
  const [agent] = agents;
  assert.ok(agent);
  const ports = [{ hostPort: 9090, containerPort: 7, protocol: "TCP" }];
  const old = await startPod(agent, "old", ports);
  const next = await startPod(agent, "next", ports);
  agent.network.remove({ containerId: "old", ifname: "eth0" });
  agent.network.remove({ containerId: "old", ifname: "eth0" });
  assert.equal(await stranger.askTcp(one.ips[0], 9090), outside.ips[0], "the port is the successor's");
  assert.deepEqual(
    agent.network.list().map(({ containerId }) => containerId),
    ["a", "next"],
  );
  assert.deepEqual(agent.network.collect(new Set(["a"])), [{ containerId: "next", ifname: "eth0" }]);
  assert.equal(await stranger.askTcp(one.ips[0], 9090), undefined);
  assert.equal(one.kernel.netlink.findLink(next.added.hostVeth), undefined);
  assert.equal(one.kernel.netlink.findLink(old.added.hostVeth), undefined);
  assert.ok(one.kernel.netlink.findLink(a.added.hostVeth));
});
