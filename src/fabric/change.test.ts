/** Backends as they meet: whole nodes on kernels in memory, with one API. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { addressOf, nthSubnet, parseCidr, parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import { openFakeClient } from "#kube/fake/client";
import type { Node } from "#kube/generated/types";
import { openInformer } from "#kube/open-informer";
import { NODES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { openLog, silentLog } from "#telemetry/log";
import { formatFlannelNode } from "#wire/flannel-annotations";
import { type FabricBackend, type FabricReady, HOST_GW, VXLAN } from "./model.ts";
import { runFabric } from "./run.ts";

const CLUSTER = [parseCidr("10.42.0.0/16"), parseCidr("fd42::/56")];
const P = "flannel.alpha.coreos.com/";

type FakeClient = ReturnType<typeof openFakeClient>;

function subnets(number: number): readonly string[] {
  return CLUSTER.map((cluster, i) => nthSubnet(cluster, i === 0 ? 24 : 64, number));
}

function nodeObject(name: string, number: number, annotations: Record<string, string> = {}): Node {
  const podCIDRs = [...subnets(number)];
  return { metadata: { name, annotations }, spec: { podCIDR: podCIDRs[0], podCIDRs } };
}

/** Of flannel's own, by host-gw. */
function flannelNode(name: string, number: number, host = 10 + number): Node {
  const [four, six] = [parseIp(`192.0.2.${host}`), parseIp(`2001:db8::${host}`)];
  return nodeObject(
    name,
    number,
    formatFlannelNode({ kind: "host-gw", ends: { 4: { publicIp: four }, 6: { publicIp: six } } }),
  );
}

function openMachine(host: number) {
  const kernel = openFakeKernel();
  const { index } = kernel.netlink.addLink({ kind: "bridge", name: "eth0", mtuBytes: 1500, isUp: true });
  const addresses = [parseIpPrefix(`192.0.2.${host}/24`), parseIpPrefix(`2001:db8::${host}/64`)];
  for (const address of addresses) kernel.netlink.addAddress(index, address);
  return { kernel, eth0: index, nodeIps: addresses.map(addressOf) };
}

type FakeMachine = ReturnType<typeof openMachine>;

/** A node's fabric, until the test is over or it is ended. */
function start(
  t: TestContext,
  client: FakeClient,
  { name, backend, machine }: { name: string; backend: FabricBackend; machine: FakeMachine },
) {
  const stop = new AbortController();
  const { signal } = stop;
  const dir = mkdtempSync(join(tmpdir(), "twill-change-"));
  const lines: string[] = [];
  const readies: FabricReady[] = [];
  const running = runFabric({
    kernel: machine.kernel,
    client,
    nodes: openInformer(client, NODES, { clock: systemClock, log: silentLog, signal }),
    nodeName: name,
    config: {
      clusterCidrs: CLUSTER,
      nodeIps: machine.nodeIps,
      backend,
      guard: true,
      masquerade: {},
      subnetFile: join(dir, "subnet.env"),
    },
    // So that what is tried again after a while is tried soon.
    clock: { ...systemClock, sleep: (ms, options) => systemClock.sleep(ms / 20, options) },
    log: openLog({ write: (line) => lines.push(line), level: "info", now: () => 0 }),
    signal,
    onReady: (ready) => readies.push(ready),
  });
  t.after(async () => {
    stop.abort();
    await running;
    rmSync(dir, { recursive: true, force: true });
  });
  /** The device by which packets for that node leave, by family. */
  const waysTo = (number: number) =>
    subnets(number).map((subnet, i) => {
      const route = machine.kernel.netlink.listRoutes(i === 0 ? 4 : 6).find(({ to }) => to === subnet);
      return machine.kernel.netlink.listLinks().find(({ index }) => index === route?.link)?.name ?? "none";
    });
  const said = (text: string) => lines.filter((line) => line.includes(text));
  return { waysTo, said, readies };
}

async function until(what: string, check: () => unknown): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!check()) {
    assert.ok(Date.now() < deadline, `never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe("two nodes that start at the same moment", () => {
  for (const [a, b, devices] of [
    [VXLAN, HOST_GW, ["flannel.1", "flannel-v6.1"]],
    [HOST_GW, VXLAN, ["flannel.1", "flannel-v6.1"]],
    [HOST_GW, HOST_GW, ["eth0", "eth0"]],
  ] as const)
    test(`with ${a.kind} and ${b.kind} agree, and stay with it`, async (t) => {
      const client = openFakeClient();
      for (const [number, name] of ["a", "b"].entries()) await client.create(NODES, nodeObject(name, number));
      const one = start(t, client, { name: "a", backend: a, machine: openMachine(10) });
      const two = start(t, client, { name: "b", backend: b, machine: openMachine(11) });
      await until("both have a way", () =>
        [one.waysTo(1), two.waysTo(0)].every((ways) => ways.join() === devices.join()),
      );
      const writes = client.writes.length;
      await client.create(NODES, flannelNode("c", 2, 12));
      await until("both have heard", () => ![...one.waysTo(2), ...two.waysTo(2)].includes("none"));
      assert.deepEqual([one.waysTo(1), two.waysTo(0)], [devices, devices]);
      // One change of mind at most: from what a node alone could do to what both can.
      for (const { said } of [one, two]) assert.ok(said("take another way").length <= 2);
      assert.ok(client.writes.length - writes < 10);
    });
});

describe("host-gw", () => {
  async function alone(
    t: TestContext,
    before: (machine: FakeMachine, client: FakeClient) => unknown = () => {},
  ) {
    const client = openFakeClient();
    const machine = openMachine(10);
    await client.create(NODES, nodeObject("own", 0));
    await client.create(NODES, flannelNode("b", 1));
    await before(machine, client);
    return { client, machine, ...start(t, client, { name: "own", backend: HOST_GW, machine }) };
  }
  const routes = ({ kernel }: FakeMachine) =>
    [4, 6].flatMap((family) =>
      kernel.netlink
        .listRoutes(family === 4 ? 4 : 6)
        .filter(({ to }) => /^(10\.42|fd42)/.test(to))
        .map(({ to, via, protocol }) => `${to} ${via} ${protocol}`),
    );

  test("has routes through the peers, no device, and the link's MTU", async (t) => {
    const { machine, readies, client, waysTo } = await alone(t);
    await until("b is reached", () => waysTo(1).join() === "eth0,eth0");
    assert.deepEqual(routes(machine), ["10.42.1.0/24 192.0.2.11 84", "fd42:0:0:1::/64 2001:db8::11 84"]);
    assert.deepEqual(readies, [{ podCidrs: subnets(0), mtuBytes: 1500 }]);
    assert.equal(machine.kernel.netlink.findLink("flannel.1"), undefined);
    await until("announced", () => client.writes.includes("patch nodes own"));
    const { metadata } = await client.get(NODES, { name: "own" });
    const said = Object.entries(metadata.annotations ?? {}).filter(([key]) => key.startsWith(P));
    assert.deepEqual(said.map(([key, value]) => `${key.slice(P.length)} ${value}`).sort(), [
      "backend-data null",
      "backend-type host-gw",
      "backend-v6-data null",
      "kube-subnet-manager true",
      "public-ip 192.0.2.10",
      "public-ipv6 2001:db8::10",
    ]);
  });

  test("makes flannel's routes its own, removes its own of nodes that are gone, and leaves everybody else's", async (t) => {
    const { machine, waysTo } = await alone(t, ({ kernel, eth0 }) => {
      const via = parseIp("192.0.2.11");
      const put = (to: string, protocol: number) =>
        kernel.netlink.replaceRoute({ to: parseCidr(to), via, link: eth0, protocol });
      put("10.42.1.0/24", 3);
      put("10.42.7.0/24", 84);
      put("10.42.8.0/24", 4);
      put("198.51.100.0/24", 84);
    });
    await until("b is reached", () => waysTo(1).join() === "eth0,eth0");
    await until("what is gone is gone", () => !routes(machine).some((text) => text.startsWith("10.42.7")));
    assert.deepEqual(routes(machine).sort(), [
      "10.42.1.0/24 192.0.2.11 84",
      "10.42.8.0/24 192.0.2.11 4",
      "fd42:0:0:1::/64 2001:db8::11 84",
    ]);
    assert.ok(machine.kernel.netlink.listRoutes(4).some(({ to }) => to === "198.51.100.0/24"));
  });

  test("tells once of a peer behind a router, and reaches the others", async (t) => {
    const { client, waysTo, said, readies } = await alone(t, async (_, client) => {
      await client.create(
        NODES,
        nodeObject("far", 3, {
          [`${P}kube-subnet-manager`]: "true",
          [`${P}backend-type`]: "host-gw",
          [`${P}backend-data`]: "null",
          [`${P}public-ip`]: "198.51.100.9",
        }),
      );
    });
    await until("b is reached", () => waysTo(1).join() === "eth0,eth0");
    await client.create(NODES, flannelNode("c", 2));
    await until("c is reached", () => waysTo(2).join() === "eth0,eth0");
    assert.equal(waysTo(3)[0], "none");
    assert.equal(readies.length, 1);
    const [line = "", ...more] = said("a peer cannot be reached");
    assert.deepEqual(more, []);
    assert.match(line, /node=far .*198\.51\.100\.9 is not on a network of eth0 \(192\.0\.2\.0\/24/);
  });

  test("takes a gateway that the kernel refuses as that peer's trouble, and tries again", async (t) => {
    const own = { to: parseCidr("192.0.2.0/24"), protocol: 2 };
    const { machine, waysTo, said, readies } = await alone(t, ({ kernel, eth0 }) =>
      kernel.netlink.deleteRoute({ ...own, link: eth0 }),
    );
    await until("ready all the same", () => readies.length === 1);
    await until("b is reached by IPv6", () => waysTo(1)[1] === "eth0");
    assert.equal(waysTo(1)[0], "none");
    assert.equal(
      said("a peer cannot be reached").length + said("the kernel finds no way to a peer").length,
      1,
    );
    machine.kernel.netlink.replaceRoute({ ...own, link: machine.eth0 });
    await until("b is reached by IPv4 too", () => waysTo(1)[0] === "eth0");
  });

  test("does not run with an address that is not the link's, says so, and runs when that has changed", async (t) => {
    const overwrite = `${P}public-ip-overwrite`;
    const { client, said, readies } = await alone(t, (_, client) =>
      client.patch(
        NODES,
        { name: "own" },
        { metadata: { annotations: { [overwrite]: "203.0.113.5" } } },
        { type: "merge" },
      ),
    );
    const why =
      "Cannot run the backend host-gw: peers are told 203.0.113.5, which is not the address of eth0 (192.0.2.10)";
    await until("it says why", () => said(why).length > 0);
    assert.deepEqual(readies, []);
    await client.patch(
      NODES,
      { name: "own" },
      { metadata: { annotations: { [overwrite]: null } } },
      { type: "merge" },
    );
    await until("ready", () => readies.length === 1);
  });
});

test("a backend of a peer's that this machine cannot have is told once, and another way is taken", async (t) => {
  const client = openFakeClient();
  const machine = openMachine(10);
  machine.kernel.wireguard.has = "none";
  await client.create(NODES, nodeObject("own", 0));
  const key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
  const flannel = formatFlannelNode({
    kind: "wireguard",
    ends: { 4: { publicIp: parseIp("192.0.2.11"), publicKey: key, port: 51_820 } },
  });
  await client.create(NODES, nodeObject("b", 1, flannel));
  const { said, readies, waysTo } = start(t, client, { name: "own", backend: VXLAN, machine });
  await until("ready", () => readies.length > 0);
  await client.create(NODES, flannelNode("c", 2));
  await until("c is reached", () => waysTo(2).join() === "eth0,eth0");
  assert.deepEqual([waysTo(1)[0], machine.kernel.netlink.findLink("flannel-wg")], ["none", undefined]);
  assert.equal(said("set up with a backend that cannot stand here").length, 1);
  assert.match(
    said("a peer cannot be reached")[0] ?? "",
    /node=b .*it speaks wireguard, which this node does not/,
  );
});
