/** Ways between nodes, tried with real packets: good ones, one with a narrow link, one through hardware that does not fill in
 *  checksums, and one with a packet filter. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { addressOf } from "#addr/cidr";
import { FAMILIES, type Family } from "#addr/family";
import { VXLAN } from "#fabric/model";
import { PATIENCE_MS } from "#fabric/probe/exchange";
import type { PeerHealth, ProbeTarget } from "#fabric/probe/model";
import { Prober } from "#fabric/probe/prober";
import { CLAIMS } from "#kernel/claims";
import { NODES } from "#kube/resources";
import { type Clock, systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { putBrokenNic } from "./broken-nic.ts";
import { eventually, type Machine } from "./machines.ts";
import { nodeObject, startAgent, subnetsOf } from "./node-agent.ts";
import { Rig, type RigNode } from "./rig.ts";

const MTU = { 4: 1450, 6: 1430 } as const;

/** What waits for an answer waits so much less, and what waits between questions hardly at all. */
const hurried = (factor: number): Clock => ({
  now: () => Date.now(),
  sleep: (ms, options) => systemClock.sleep(ms / (ms > PATIENCE_MS ? 50 : factor), options),
});
/** The kernel answers, however busy this machine is. */
const FAST = 10;
/** Between the two is a program of ours. */
const SLOWER = 5;

/** Probes the ways from one node to another until disposed. */
function probe(from: Machine, to: RigNode, label: string, factor = FAST) {
  const stop = new AbortController();
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info" });
  const stateFile = join(from.dir, `offload-${label}.json`);
  const prober = new Prober({
    kernel: from.kernel,
    config: { offload: "auto", stateFile },
    clock: hurried(factor),
    log,
  });
  const devices = Object.values(CLAIMS.devices.vxlan);
  const targets = FAMILIES.map((family) => targetOf(to, family));
  const follow = () => prober.follow({ devices, targets });
  follow();
  const running = prober.run({ signal: stop.signal });
  return {
    prober,
    lines,
    stateFile,
    follow,
    /** Once both families have something that `isEnough`. */
    until: (what: string, isEnough: (health: PeerHealth) => boolean) =>
      eventually(what, () => {
        const found = FAMILIES.map((family) => prober.health.get(to.machine.name, family));
        return found.every((health) => health && isEnough(health)) && found;
      }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

function targetOf({ machine, number }: RigNode, family: Family): ProbeTarget {
  const [subnet] = subnetsOf(number, [family]);
  assert.ok(subnet);
  return {
    node: machine.name,
    family,
    kind: "vxlan",
    device: CLAIMS.devices.vxlan[family],
    to: [addressOf(subnet)],
    underlay: machine.ips[family === 4 ? 0 : 1],
    mtuBytes: MTU[family],
  };
}

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const rig = stack.use(new Rig({ label: "probe", families: FAMILIES }));
let one: RigNode;
let two: RigNode;

before(async () => {
  one = await rig.addNode("one", VXLAN);
  two = await rig.addNode("two", VXLAN);
  await rig.converge();
  // Asked in a hurry, a peer would have said enough.
  for (const { machine } of [one, two])
    for (const name of ["net.ipv4.icmp_ratelimit", "net.ipv6.icmp.ratelimit"])
      machine.kernel.sysctl.write(name, 0);
});

test("a good way answers, carries whole packets, and checksums may be left to the hardware", async () => {
  await using asked = probe(one.machine, two, "good");
  const found = await asked.until("all is known", ({ offload }) => offload !== "unknown");
  for (const health of found) {
    assert.ok(health);
    const { reachable, mtuBytes, offload, roundTripUs, lastAnswerMs } = health;
    assert.deepEqual(
      { reachable, mtuBytes, offload },
      { reachable: true, mtuBytes: MTU[health.family], offload: "works" },
    );
    assert.ok(roundTripUs !== undefined && roundTripUs < 1_000_000);
    assert.ok(lastAnswerMs !== undefined && lastAnswerMs <= Date.now());
  }
  assert.deepEqual(asked.lines, []);
});

test("a narrow link on the way is found, to the byte, and told once", async () => {
  const { lan } = rig.machines;
  const port = lan.kernel.netlink.findLink(two.machine.port);
  assert.ok(port);
  // The switch drops what is larger, a VLAN's four bytes aside, and tells nobody.
  lan.kernel.netlink.changeLink(port.index, { mtuBytes: 1400 });
  stack.defer(() => lan.kernel.netlink.changeLink(port.index, { mtuBytes: 1500 }));
  await using asked = probe(one.machine, two, "narrow");
  const found = await asked.until("what fits is known", ({ mtuBytes }) => mtuBytes !== undefined);
  assert.deepEqual(
    found.map((health) => health?.mtuBytes),
    [1354, 1334],
  );
  assert.equal(asked.lines.length, 2, asked.lines.join(""));
  assert.match(asked.lines.join(""), /carries 1354 bytes through flannel\.1, whose MTU is 1450/);
  assert.match(asked.lines.join(""), /set .{2,4}MTU.{2,4}: 1404 under/);
  lan.kernel.netlink.changeLink(port.index, { mtuBytes: 1500 });
});

describe("a packet filter on the way", () => {
  const table = (rule: string) =>
    `table inet wall {\nchain input {\ntype filter hook input priority -10;\n${rule}\n}\n}\n`;
  for (const [what, rule, reachable] of [
    ["takes echoes", "icmp type echo-request drop\nicmpv6 type echo-request drop", true],
    ["takes all that is asked", 'iifname "flannel*" drop', false],
  ] as const)
    test(`${what}: nothing is concluded of checksums, and nothing changed`, async () => {
      two.machine.kernel.nft.run(table(rule));
      try {
        await using asked = probe(one.machine, two, `wall-${reachable}`);
        const found = await asked.until("it was tried", (health) => health.reachable !== undefined);
        for (const health of found) {
          assert.equal(health?.reachable, reachable);
          assert.equal(health?.mtuBytes, undefined);
        }
        assert.ok(!existsSync(asked.stateFile));
        for (const device of Object.values(CLAIMS.devices.vxlan))
          assert.equal(one.machine.kernel.features.fillsChecksums(device), true);
      } finally {
        two.machine.kernel.nft.run("delete table inet wall");
      }
    });
});

describe("hardware that leaves inner checksums as they are", { concurrency: 2 }, () => {
  test("the kernel fills them in, for good, and TCP works again", async () => {
    const pod = await rig.addPod(one, "a");
    const peer = await rig.addPod(two, "b");
    const ask = (family: Family) => pod.program.askTcp(peer.ips.get(family) ?? "");
    const askBoth = () => Promise.all(FAMILIES.map(ask));
    using nic = putBrokenNic(rig.machines, one.machine);
    assert.deepEqual(await askBoth(), [undefined, undefined]);
    assert.ok(nic.left() > 0);
    const { features, netlink } = one.machine.kernel;
    const isOff = () =>
      Object.values(CLAIMS.devices.vxlan).every((device) => features.fillsChecksums(device) === false);
    {
      await using asked = probe(one.machine, two, "nic", SLOWER);
      const found = await asked.until("it is found", ({ offload }) => offload === "broken");
      assert.ok(found.every((health) => health?.reachable));
      assert.ok(isOff());
      assert.deepEqual(await askBoth(), [pod.ips.get(4), pod.ips.get(6)]);
      assert.equal(asked.lines.filter((line) => line.includes("turned that off")).length, 2);
      assert.match(asked.lines.join(""), /device=flannel\.1 node=two feature=tx-checksum-ip-generic/);
      // Someone makes the device anew.
      const device = netlink.findLink("flannel.1");
      assert.ok(device);
      netlink.deleteLink(device.index);
      await eventually("it is back", () => features.fillsChecksums("flannel.1"));
      asked.follow();
      assert.ok(isOff());
    }
    for (const device of Object.values(CLAIMS.devices.vxlan)) features.setFillsChecksums(device, true);
    // The next life, before it has asked anybody.
    await using again = probe(one.machine, two, "nic", SLOWER);
    assert.ok(isOff());
    await again.until("it answers", ({ offload }) => offload === "broken");
  });

  test("a node finds out by itself, from its first minute", async () => {
    const machine = rig.addMachine("three");
    using _ = putBrokenNic(rig.machines, machine);
    await rig.client.create(NODES, nodeObject(machine, 2));
    const lines: string[] = [];
    const log = openLog({ write: (line) => lines.push(line), level: "warn" });
    await using agent = await startAgent(machine, rig.client, { log, clock: hurried(SLOWER) });
    assert.equal(agent.ready.mtuBytes, MTU[6]);
    for (const device of Object.values(CLAIMS.devices.vxlan)) {
      await eventually(`${device} is turned off`, () =>
        lines.some((line) => line.includes(`device=${device} `)),
      );
      assert.equal(machine.kernel.features.fillsChecksums(device), false);
      assert.match(readFileSync(join(machine.dir, "offload.json"), "utf8"), new RegExp(`"${device}": {`));
    }
    const { netlink } = machine.kernel;
    const old = netlink.findLink("flannel.1")?.index;
    netlink.deleteLink(old ?? 0);
    await eventually("flannel.1 made anew is turned off too", () => {
      const index = netlink.findLink("flannel.1")?.index;
      return index !== undefined && index !== old && !machine.kernel.features.fillsChecksums("flannel.1");
    });
  });
});
