/** Nodes over wireguard-go: what becomes of it when an agent or the program itself is killed, when a key changes, and with one
 *  device for both families. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { addressOf } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { WIREGUARD, type WireguardBackend } from "#fabric/model";
import type { Node } from "#kube/generated/types";
import { formatFlannelNode } from "#wire/flannel-annotations";
import { generatePrivateKey, publicKeyOf } from "#wire/wireguard-key";
import { AgentChild } from "./agent-child.ts";
import { eventually, type Machine, Machines } from "./machines.ts";
import { nodeObject, openNetwork, startAgent, subnetsOf } from "./node-agent.ts";
import { Pod } from "./pod.ts";
import { Rig, type RigNode } from "./rig.ts";

const DEVICES = ["flannel-wg", "flannel-wg-v6"] as const;

/** The process that carries a machine's device. */
function carrierOf({ dir }: Machine, device: string): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const found = pids.map(Number).find((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return words[1] === device && readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(dir);
    } catch {
      return false;
    }
  });
  assert.ok(found, `nothing carries ${device}`);
  return found;
}

function publicKeys(machine: Machine, device: string): readonly string[] {
  return (machine.kernel.wireguard.read(device)?.peers ?? []).map(({ publicKey }) => publicKey);
}

describe("an agent over WireGuard is killed and run again under traffic", () => {
  const stack = new AsyncDisposableStack();
  after(() => stack.disposeAsync());

  test("no packet is lost, nothing is touched, and its programs go on", async () => {
    const machines = stack.use(new Machines(`twt-${process.pid}-wk`));
    const [one, two] = [machines.add("one"), machines.add("two")];
    const nodes = [announced(one, 0), announced(two, 1)];
    const children = new Map<Machine, AgentChild>();
    const start = async (machine: Machine) => {
      const child = stack.use(AgentChild.spawn(machine, nodes, WIREGUARD));
      children.set(machine, child);
      return child.report;
    };
    await Promise.all([one, two].map(start));
    const b = startPod(two, 1, "b");
    stack.use(await Pod.start(b.path));
    const talkers = b.ips.map((to, i) => ({ to, path: startPod(one, 0, `a${i}`).path }));
    const stood = () =>
      DEVICES.map((name) => ({ link: one.kernel.netlink.findLink(name), pid: carrierOf(one, name) }));
    const before = stood();
    const programs = await Promise.all(
      talkers.map(async ({ to, path }) => {
        const program = stack.use(await Pod.start(path));
        while ((await program.askUdp(to)) === undefined);
        await program.startStream(to, 2);
        return program;
      }),
    );
    await children.get(one)?.kill();
    assert.equal((await start(one)).ops, 0);
    for (const program of programs) {
      const { sent, lost } = await program.stopStream();
      assert.deepEqual(lost, []);
      assert.ok(sent > 50, `${sent} packets make no test`);
    }
    assert.deepEqual(stood(), before);

    /** Wired from here, as another process of the node would. */
    function startPod(machine: Machine, number: number, name: string) {
      const { ns, path } = machines.netns(name);
      using network = openNetwork(machine, { podCidrs: subnetsOf(number), mtuBytes: 1420 });
      return { path, ips: network.add({ containerId: name, ifname: "eth0", netns: ns }).ips.map(addressOf) };
    }
  });
});

/** A Node that has announced itself already, as every node has after its first run. */
function announced(machine: Machine, number: number): Node {
  const key = generatePrivateKey();
  writeFileSync(join(machine.dir, "wgkey"), key, { mode: 0o400 });
  const end = (i: 0 | 1) => ({ publicKey: publicKeyOf(key), port: 51_820 + i, publicIp: machine.ips[i] });
  const annotations = formatFlannelNode({ kind: "wireguard", ends: { 4: end(0), 6: end(1) } });
  const node = nodeObject(machine, number);
  return { ...node, metadata: { ...node.metadata, annotations } };
}

describe("two nodes over WireGuard", () => {
  const rig = new Rig({ label: "wg", families: FAMILIES });
  after(() => rig[Symbol.asyncDispose]());
  let [one, two]: RigNode[] = [];

  test("wireguard-go is killed: its device, peers and routes are back, and pods talk", async () => {
    [one, two] = [await rig.addNode("one", WIREGUARD), await rig.addNode("two", WIREGUARD)];
    await rig.converge();
    const [a, b] = [await rig.addPod(one, "a"), await rig.addPod(two, "b")];
    for (const [i, family] of FAMILIES.entries()) {
      const to = b.ips.get(family) ?? "";
      assert.equal(await a.program.askTcp(to), a.ips.get(family));
      const device = DEVICES[i] ?? "";
      const { netlink, wireguard } = one.machine.kernel;
      const known = publicKeys(one.machine, device);
      const before = netlink.findLink(device)?.index;
      process.kill(carrierOf(one.machine, device), "SIGKILL");
      await eventually(
        "it is another one",
        () => ![before, undefined].includes(netlink.findLink(device)?.index),
      );
      await eventually("it has its peer", () => wireguard.read(device)?.peers.length === 1);
      assert.deepEqual(publicKeys(one.machine, device), known);
      await rig.converge();
      assert.equal(await a.program.askTcp(to), a.ips.get(family));
    }
  });

  test("a link of its name that is none of ours is replaced", async () => {
    assert.ok(one);
    const { netlink, wireguard } = one.machine.kernel;
    wireguard.remove("flannel-wg");
    netlink.addLink({ kind: "bridge", name: "flannel-wg" });
    await eventually("it is WireGuard's again", () => wireguard.read("flannel-wg")?.peers.length === 1);
    await rig.converge();
  });

  test("a node's new key takes the place of the old one", async () => {
    assert.ok(one && two);
    const { machine } = one;
    const [old] = publicKeys(machine, "flannel-wg");
    await two.agent[Symbol.asyncDispose]();
    rmSync(join(two.machine.dir, "wgkey"));
    await using _ = await startAgent(two.machine, rig.client, { backend: WIREGUARD });
    for (const device of DEVICES) {
      await eventually("one peer, another one", () => {
        const keys = publicKeys(machine, device);
        return keys.length === 1 && keys[0] !== old;
      });
      assert.equal(two.machine.kernel.wireguard.read(device)?.publicKey, publicKeys(machine, device)[0]);
    }
  });
});

const ONE_DEVICE: readonly { readonly backend: WireguardBackend; readonly over: Family }[] = [
  { backend: { ...WIREGUARD, mode: "auto" }, over: 4 },
  { backend: { ...WIREGUARD, mode: "ipv4", presharedKey: generatePrivateKey() }, over: 4 },
  { backend: { ...WIREGUARD, mode: "ipv6", keepaliveSeconds: 0 }, over: 6 },
];

for (const { backend, over } of ONE_DEVICE)
  test(`one device for both families, mode ${backend.mode}: it runs over IPv${over}`, async () => {
    await using rig = new Rig({ label: `w${backend.mode}`, families: FAMILIES });
    const nodes = [await rig.addNode("one", backend), await rig.addNode("two", backend)] as const;
    await rig.converge();
    const [a, b] = [await rig.addPod(nodes[0], "a"), await rig.addPod(nodes[1], "b")];
    for (const family of FAMILIES) {
      const to = b.ips.get(family) ?? "";
      assert.equal(await a.program.askTcp(to), a.ips.get(family));
      assert.equal(await a.program.sendTcp(to, 200_000), true);
    }
    const { kernel } = nodes[0].machine;
    assert.equal(kernel.netlink.findLink("flannel-wg-v6"), undefined);
    const [peer] = kernel.wireguard.read("flannel-wg")?.peers ?? [];
    assert.deepEqual(peer?.endpoint, { ip: nodes[1].machine.ips[over === 4 ? 0 : 1], port: 51_820 });
    assert.equal(peer?.presharedKey, backend.presharedKey);
    assert.deepEqual(peer?.allowedIps.toSorted(), subnetsOf(1).toSorted());
  });
