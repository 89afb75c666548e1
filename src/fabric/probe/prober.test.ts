import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { nthIp, nthSubnet, parseCidr } from "#addr/cidr";
import { type Ip, parseIp } from "#addr/ip";
import { type FakeKernel, openFakeKernel } from "#kernel/fake/kernel";
import type { FakePath } from "#kernel/fake/probes";
import { HandClock } from "#life/testing/hand-clock";
import { openLog } from "#telemetry/log";
import type { ProbeConfig, ProbeTarget } from "./model.ts";
import { Prober } from "./prober.ts";

const dir = mkdtempSync(join(tmpdir(), "twt-probe-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let files = 0;

const TWO = parseIp("10.42.1.0");
const UNDERLAY = parseIp("192.0.2.12");
const ABOUT_TWO: ProbeTarget = {
  node: "two",
  family: 4,
  kind: "vxlan",
  device: "flannel.1",
  to: [TWO],
  underlay: UNDERLAY,
  mtuBytes: 1450,
};

interface Life {
  readonly kernel: FakeKernel;
  readonly offload?: ProbeConfig["offload"];
  readonly stateFile?: string;
  readonly targets?: readonly ProbeTarget[];
}

/** A machine with a tunnel, whose peers answer as `paths` say. */
function machine(paths: Readonly<Record<string, FakePath>> = {}): FakeKernel {
  const kernel = openFakeKernel();
  const eth0 = kernel.netlink.addLink({ kind: "bridge", name: "eth0", isUp: true });
  const vxlan = { vni: 1, port: 8472, underlay: eth0.index, local: parseIp("192.0.2.11"), learning: false };
  const device = kernel.netlink.addLink({ kind: "vxlan", name: "flannel.1", vxlan, isUp: true });
  for (const to of ["10.42.0.0/16", "192.0.2.0/24"])
    kernel.netlink.replaceRoute({
      to: parseCidr(to),
      link: to.startsWith("10") ? device.index : eth0.index,
    });
  for (const [to, path] of Object.entries(paths)) kernel.paths.set(parseIp(to), path);
  return kernel;
}

async function live({
  kernel,
  offload = "auto",
  stateFile = join(dir, `${files++}.json`),
  targets = [ABOUT_TWO],
}: Life) {
  const clock = new HandClock(1_000_000);
  const stop = new AbortController();
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info" });
  const prober = new Prober({ kernel, config: { offload, stateFile }, clock, log });
  const work = { devices: ["flannel.1", "flannel-v6.1"], targets };
  prober.follow(work);
  const running = prober.run({ signal: stop.signal });
  return {
    prober,
    clock,
    lines,
    work,
    stateFile,
    async end() {
      stop.abort();
      await running;
    },
  };
}

test("what is found is there to be read, and heard as it is found", async () => {
  const { prober, clock, lines, end } = await live({ kernel: machine({ [TWO]: { roundTripUs: 250 } }) });
  const heard: boolean[] = [];
  using _ = prober.health.subscribe(({ reachable }) => heard.push(reachable ?? false));
  assert.deepEqual(prober.health.list(), [
    { node: "two", family: 4, kind: "vxlan", device: "flannel.1", offload: "unknown" },
  ]);
  await clock.pass(1_000);
  assert.deepEqual(prober.health.get("two", 4), {
    node: "two",
    family: 4,
    kind: "vxlan",
    device: "flannel.1",
    reachable: true,
    lastAnswerMs: 1_000_000,
    roundTripUs: 250,
    mtuBytes: 1450,
    offload: "works",
  });
  assert.deepEqual(heard, [true, true]);
  assert.deepEqual(lines, []);
  prober.follow({ devices: [], targets: [] });
  assert.deepEqual(prober.health.list(), []);
  await end();
});

test("a peer that falls silent is told of once, and so is its return", async () => {
  const kernel = machine({ [TWO]: {} });
  const { prober, clock, lines, end } = await live({ kernel });
  await clock.pass(10_000);
  kernel.paths.delete(TWO);
  await clock.pass(600_000);
  assert.equal(prober.health.get("two", 4)?.reachable, false);
  assert.equal(prober.health.get("two", 4)?.lastAnswerMs, 1_000_000);
  assert.deepEqual(lines.length, 1);
  assert.match(lines[0] ?? "", /WARN {2}a node does not answer .* node=two family=4 .* asked=10\.42\.1\.0/);
  kernel.paths.set(TWO, {});
  await clock.pass(60_000);
  assert.match(lines[1] ?? "", /INFO {2}a node answers through the pod network again node=two/);
  assert.equal(lines.length, 2);
  await end();
});

test("when this node is cut off from all others, that takes a few lines, not one for each", async () => {
  const targets = Array.from({ length: 100 }, (_, i): ProbeTarget => {
    return { ...ABOUT_TWO, node: `node-${i}`, to: [parseIp(`10.42.${i}.0`)] };
  });
  const kernel = machine();
  const { clock, lines, end } = await live({ kernel, targets });
  await clock.pass(300_000);
  assert.equal(lines.filter((line) => line.includes("a node does not answer")).length, 10);
  assert.deepEqual(
    lines.flatMap((line) => /many nodes .* count=(\d+)/.exec(line)?.[1] ?? []),
    ["20", "40", "80"],
  );
  lines.length = 0;
  for (const { to } of targets) for (const ip of to) kernel.paths.set(ip, {});
  await clock.pass(300_000);
  assert.match(lines.at(-1) ?? "", /every node answers through the pod network again/);
  assert.equal(lines.length, 11);
  await end();
});

test("a way that gets narrow is told with numbers and what to do, once for each number, and when it is mended", async () => {
  const kernel = machine({ [TWO]: {} });
  const { prober, clock, lines, end } = await live({ kernel });
  for (const fitsBytes of [1450, 1400, 1400, 1300, 1500]) {
    kernel.paths.set(TWO, { fitsBytes });
    await clock.pass(180_000);
    assert.equal(prober.health.get("two", 4)?.mtuBytes, Math.min(fitsBytes, 1450));
  }
  const said = lines.map((line) => line.split(" ").slice(1).join(" ").trim());
  assert.deepEqual(said, [
    'WARN  the way to a node carries 1400 bytes through flannel.1, whose MTU is 1450: connections that send more hang node=two family=4 kind=vxlan device=flannel.1 carriesBytes=1400 mtuBytes=1450 underlayBytes=1500 todo="mend the links between the nodes, or set \\"MTU\\": 1450 under \\"Backend\\" in the file of --flannel-conf on every node"',
    'WARN  the way to a node carries 1300 bytes through flannel.1, whose MTU is 1450: connections that send more hang node=two family=4 kind=vxlan device=flannel.1 carriesBytes=1300 mtuBytes=1450 underlayBytes=1500 todo="mend the links between the nodes, or set \\"MTU\\": 1350 under \\"Backend\\" in the file of --flannel-conf on every node"',
    "INFO  the way to a node carries whole packets again node=two family=4 kind=vxlan device=flannel.1 mtuBytes=1450",
  ]);
  await end();
});

test("large packets that are split on their way are told of", async () => {
  const kernel = machine({ [TWO]: {} });
  const { clock, lines, end } = await live({ kernel });
  await clock.pass(1_000);
  assert.deepEqual(lines, []);
  // As when the kernel has learnt of a narrow link from other packets.
  kernel.netlink.changeLink(kernel.netlink.findLink("eth0")?.index ?? 0, { mtuBytes: 1400 });
  await clock.pass(180_000);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /cut in two .* tunnelTo=192\.0\.2\.12 underlayBytes=1400 .*MTU.{2,4}: 1400 /);
  await end();
});

describe("checksums that the hardware leaves undone", () => {
  const broken: FakePath = { brokenLink: "flannel.1" };

  test("are the kernel's from then on: after a restart without peers, on a device made anew, and for every peer", async () => {
    const kernel = machine({ [TWO]: broken, "10.42.2.0": broken });
    const three = { ...ABOUT_TWO, node: "three", to: [parseIp("10.42.2.0")] };
    const { prober, clock, lines, stateFile, work, end } = await live({
      kernel,
      targets: [ABOUT_TWO, three],
    });
    await clock.pass(60_000);
    assert.equal(kernel.features.fillsChecksums("flannel.1"), false);
    assert.deepEqual(
      prober.health.list().map(({ offload }) => offload),
      ["broken", "broken"],
    );
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? "",
      /WARN {2}packets arrive without their checksums .* device=flannel\.1 node=\w+ feature=tx-checksum-ip-generic see="ethtool -k flannel\.1" remembered=/,
    );
    kernel.features.setFillsChecksums("flannel.1", true);
    prober.follow(work);
    assert.equal(kernel.features.fillsChecksums("flannel.1"), false);
    await end();
    kernel.features.setFillsChecksums("flannel.1", true);
    const again = await live({ kernel, stateFile, targets: [] });
    assert.equal(kernel.features.fillsChecksums("flannel.1"), false);
    await again.end();
  });

  test("are tried anew under another kernel", async () => {
    const kernel = machine({ [TWO]: broken });
    const { clock, stateFile, end } = await live({ kernel });
    await clock.pass(60_000);
    await end();
    writeFileSync(stateFile, readFileSync(stateFile, "utf8").replace(/"kernel": ".*"/, '"kernel": "5.4.0"'));
    kernel.features.setFillsChecksums("flannel.1", true);
    kernel.paths.set(TWO, {});
    const again = await live({ kernel, stateFile });
    await again.clock.pass(60_000);
    assert.equal(again.prober.health.get("two", 4)?.offload, "works");
    assert.equal(kernel.features.fillsChecksums("flannel.1"), true);
    await again.end();
  });

  for (const [what, path] of [
    ["a filter takes the datagrams", { drops: ["datagram"] }],
    ["a filter takes everything", { drops: ["echo", "datagram"] }],
    ["turning it off does not help", { brokenLink: "eth0" }],
  ] as const)
    test(`nothing is changed where ${what}`, async () => {
      const kernel = machine({ [TWO]: path });
      const { prober, clock, stateFile, end } = await live({ kernel });
      await clock.pass(300_000);
      assert.equal(kernel.features.fillsChecksums("flannel.1"), true);
      assert.equal(prober.health.get("two", 4)?.offload, "unknown");
      assert.ok(!existsSync(stateFile));
      await end();
    });

  test("`off` leaves them to the kernel whatever is found, and `on` to the hardware, also where they were not", async () => {
    const kernel = machine({ [TWO]: broken });
    const { stateFile, clock, end } = await live({ kernel });
    await clock.pass(60_000);
    await end();
    for (const [offload, isFilling] of [
      ["on", true],
      ["off", false],
    ] as const) {
      const life = await live({ kernel, offload, stateFile });
      await life.clock.pass(60_000);
      assert.equal(kernel.features.fillsChecksums("flannel.1"), isFilling, offload);
      assert.equal(life.prober.health.get("two", 4)?.offload, "unknown");
      await life.end();
    }
  });

  test("a device that somebody else turned off is left alone", async () => {
    const kernel = machine({ [TWO]: broken });
    kernel.features.setFillsChecksums("flannel.1", false);
    const { prober, clock, end } = await live({ kernel });
    await clock.pass(60_000);
    assert.equal(kernel.features.fillsChecksums("flannel.1"), false);
    assert.equal(prober.health.get("two", 4)?.offload, "works");
    await end();
  });

  for (const content of ["", "{", "[]", '{"kernel":1}', '{"kernel":"x","offloadIsOff":[1]}', "null"])
    test(`a file that says ${JSON.stringify(content)} is nothing remembered`, async () => {
      const stateFile = join(dir, `${files++}.json`);
      writeFileSync(stateFile, content);
      const kernel = machine({ [TWO]: {} });
      const { prober, clock, end } = await live({ kernel, stateFile });
      await clock.pass(1_000);
      assert.equal(prober.health.get("two", 4)?.offload, "works");
      await end();
    });
});

test("a machine that lets nobody probe is told of once, and blames no peer", async () => {
  const kernel = machine({ [TWO]: {} });
  kernel.fail("openProbes", "EPERM", 1_000);
  const { prober, clock, lines, end } = await live({ kernel });
  await clock.pass(600_000);
  assert.equal(prober.health.get("two", 4)?.reachable, undefined);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /ways to other nodes cannot be tried out .*EPERM|injected/);
  await end();
});

test("a thousand peers are asked within a minute or so, and then cost about two packets a second", async () => {
  const network = parseCidr("10.42.0.0/16");
  const targets = Array.from({ length: 1000 }, (_, i): ProbeTarget => {
    const to = nthIp(nthSubnet(network, 28, i + 1), 0) ?? TWO;
    return { ...ABOUT_TWO, node: `node-${i}`, to: [to] };
  });
  const kernel = machine(Object.fromEntries(targets.map(({ to: [to = TWO] }) => [to as Ip, {}])));
  let packets = 0;
  const counted: FakeKernel = {
    ...kernel,
    openProbes: (options) => {
      const probes = kernel.openProbes(options);
      return {
        ...probes,
        sendEcho(echo) {
          packets += 1;
          probes.sendEcho(echo);
        },
        sendDatagram(datagram) {
          packets += 1;
          return probes.sendDatagram(datagram);
        },
      };
    },
  };
  const { prober, clock, end } = await live({ kernel: counted, targets });
  await clock.pass(1_000);
  assert.ok(packets <= 42, `${packets} packets in the first second`);
  await clock.pass(70_000);
  assert.ok(prober.health.list().every(({ reachable }) => reachable));
  await clock.pass(1_000_000);
  packets = 0;
  await clock.pass(1_000_000);
  assert.ok(packets >= 1_900 && packets <= 2_200, `${packets} packets in a thousand seconds`);
  await end();
});
