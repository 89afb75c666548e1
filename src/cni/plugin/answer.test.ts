import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { openFakeKernel } from "#kernel/fake/kernel";
import { silentLog } from "#telemetry/log";
import { openSandboxNetwork } from "../open.ts";
import { type Answering, answerBytes } from "./answer.ts";
import { type Answer, encodeCall } from "./frame.ts";

const NETNS = "/run/netns/a";
const NAME = { cniVersion: "1.1.0", name: "cbr0", type: "twill-cni" };

function setUp(t: TestContext) {
  const kernel = openFakeKernel();
  const ipamDir = mkdtempSync(join(tmpdir(), "twill-plugin-"));
  t.after(() => rmSync(ipamDir, { recursive: true }));
  const network = openSandboxNetwork({
    kernel,
    bridge: "cni0",
    mtuBytes: 1450,
    podCidrs: [parseCidr("10.42.3.0/29"), parseCidr("fd42:0:0:3::/64")],
    clusterCidrs: [parseCidr("10.42.0.0/16")],
    ipamDir,
    log: silentLog,
  });
  const sandboxes = new Set<string>();
  const sandbox = (path = NETNS) => {
    sandboxes.add(path);
    return kernel.createNetns(path);
  };
  const loopbacks: string[] = [];
  const answering: Answering = {
    network,
    pathOf: (path) => path,
    isNetns: (path) => sandboxes.has(path),
    isOwnNetns: (path) => path === "/run/netns/own",
    setLoopbackUp: (path) => void loopbacks.push(path),
  };
  const ask = (
    verb: string,
    config: object = {},
    env: Record<string, string> = {},
    more: Partial<Answering> = {},
  ) =>
    answerBytes(
      encodeCall({
        env: {
          CNI_COMMAND: verb,
          CNI_CONTAINERID: "a",
          CNI_IFNAME: "eth0",
          CNI_NETNS: NETNS,
          CNI_PATH: "/x",
          ...env,
        },
        stdin: JSON.stringify({ ...NAME, ...config }),
      }),
      { ...answering, ...more },
    );
  return { kernel, ipamDir, network, sandbox, sandboxes, ask, answering, loopbacks };
}

function jsonOf({ stdout }: Answer): Record<string, unknown> {
  return JSON.parse(stdout) as Record<string, unknown>;
}

function refused(answer: Answer, code: number, says: RegExp): void {
  const { code: found, msg, cniVersion } = jsonOf(answer);
  assert.deepEqual([answer.exitCode, found, cniVersion], [1, code, "1.1.0"], answer.stdout);
  assert.match(String(msg), says);
}

const DONE: Answer = { exitCode: 0, stdout: "" };

test("a sandbox is added, checked, and removed as often as one likes", (t) => {
  const { kernel, sandbox, ask, ipamDir } = setUp(t);
  const before = kernel.render();
  sandbox();
  const added = ask("ADD");
  assert.equal(added.exitCode, 0, added.stdout);
  const prevResult = jsonOf(added);
  const host = "veth49075c1f237";
  assert.deepEqual(prevResult, {
    cniVersion: "1.1.0",
    interfaces: [
      { name: "cni0", mac: "0a:58:0a:2a:03:01", mtu: 1450 },
      { name: host, mac: kernel.netlink.findLink(host)?.mac, mtu: 1450 },
      { name: "eth0", mac: "0a:58:0a:2a:03:02", mtu: 1450, sandbox: NETNS },
    ],
    ips: [
      { address: "10.42.3.2/29", gateway: "10.42.3.1", interface: 2 },
      { address: "fd42:0:0:3::2/64", gateway: "fd42:0:0:3::1", interface: 2 },
    ],
    routes: [
      { dst: "0.0.0.0/0", gw: "10.42.3.1" },
      { dst: "10.42.0.0/16", gw: "10.42.3.1" },
      { dst: "::/0", gw: "fd42:0:0:3::1" },
    ],
    dns: {},
  });
  assert.deepEqual(ask("CHECK", { prevResult }), DONE);
  refused(ask("ADD"), 100, /has one already/);
  assert.deepEqual(ask("CHECK", { prevResult }), DONE, "the refused ADD took nothing");
  assert.deepEqual(ask("DEL", { prevResult }), DONE);
  assert.deepEqual(ask("DEL", {}, { CNI_NETNS: "" }), DONE);
  assert.equal(kernel.render(), before);
  assert.deepEqual(readdirSync(join(ipamDir, "cbr0-plugged")), []);
});

test("CHECK says what is not as it should be", (t) => {
  const { kernel, sandbox, ask } = setUp(t);
  const inside = kernel.openIn(sandbox());
  const wishes = {
    sysctl: { "net.core.somaxconn": "9" },
    runtimeConfig: {
      portMappings: [{ hostPort: 80, containerPort: 8080, protocol: "tcp" }],
      bandwidth: { ingressRate: 8000, egressRate: 16_000 },
    },
  };
  const prevResult = jsonOf(ask("ADD", wishes));
  const check = () => ask("CHECK", { ...wishes, prevResult });
  assert.deepEqual(check(), DONE);
  refused(ask("CHECK", wishes), 7, /prevResult missing/);
  inside.sysctl.write("net.core.somaxconn", 7);
  refused(check(), 100, /somaxconn is 7, not 9/);
  inside.sysctl.write("net.core.somaxconn", 9);
  const eth0 = inside.netlink.findLink("eth0");
  assert.ok(eth0);
  inside.netlink.changeLink(eth0.index, { isUp: false });
  refused(check(), 100, /eth0 is down/);
  inside.netlink.changeLink(eth0.index, { isUp: true });
  refused(check(), 100, /no fd42:0:0:3::2\/64|no route/);
  const host = kernel.netlink.findLink("veth49075c1f237");
  assert.ok(host);
  kernel.netlink.deleteLink(kernel.netlink.findLink("twbw49075c1f237")?.index ?? 0);
  assert.match(String(jsonOf(check())["details"]), /sends is not limited/);
  kernel.netlink.deleteLink(host.index);
  refused(check(), 100, /has no eth0/);
});

test("while the fabric is not ready nothing is done and the runtime is told to try again", (t) => {
  const { ask } = setUp(t);
  const none = { network: undefined };
  for (const verb of ["ADD", "DEL", "CHECK", "GC"]) refused(ask(verb, {}, {}, none), 11, /not ready/);
  refused(ask("STATUS", {}, {}, none), 50, /not ready/);
  assert.equal(ask("VERSION", {}, {}, none).exitCode, 0);
  assert.deepEqual(ask("STATUS"), DONE);
});

test("each refusal has its number", (t) => {
  const { ask, sandbox } = setUp(t);
  refused(ask("ADD"), 8, /failed to open netns/);
  sandbox("/run/netns/own");
  refused(ask("ADD", {}, { CNI_NETNS: "/run/netns/own" }), 8, /the plugin's own/);
  sandbox();
  refused(ask("ADD", { sysctl: { "kernel.shmmax": "1" } }), 7, /only those below net/);
  refused(ask("ADD", { runtimeConfig: { ips: ["192.0.2.1/24"] } }), 7, /none of this node's/);
  for (let n = 3; n < 7; n++) {
    sandbox(`/run/netns/${n}`);
    assert.equal(ask("ADD", {}, { CNI_CONTAINERID: `p${n}`, CNI_NETNS: `/run/netns/${n}` }).exitCode, 0);
  }
  refused(ask("ADD", { runtimeConfig: { ips: ["10.42.3.4/29"] } }), 100, /10\.42\.3\.4: somebody has it/);
  assert.equal(ask("ADD").exitCode, 0);
  sandbox("/run/netns/7");
  refused(ask("ADD", {}, { CNI_CONTAINERID: "p7", CNI_NETNS: "/run/netns/7" }), 11, /all 5 are taken/);
});

test("GC takes what belongs to its network alone, and nothing of the agent's", (t) => {
  const { ask, sandbox, network } = setUp(t);
  network.add({ containerId: "own", ifname: "eth0", netns: sandbox("/run/netns/o") });
  for (const [id, name] of [
    ["x", "cbr0"],
    ["y", "cbr0"],
    ["z", "other"],
  ] as const) {
    sandbox(`/run/netns/${id}`);
    assert.equal(ask("ADD", { name }, { CNI_CONTAINERID: id, CNI_NETNS: `/run/netns/${id}` }).exitCode, 0);
  }
  const names = () => network.list().map(({ containerId }) => containerId);
  assert.deepEqual(ask("GC", { "cni.dev/valid-attachments": [{ containerID: "x", ifname: "eth0" }] }), DONE);
  assert.deepEqual(names().sort(), ["own", "x", "z"]);
  network.collect(new Set());
  assert.deepEqual(names().sort(), ["x", "z"], "the agent takes its own alone");
  assert.deepEqual(ask("GC"), DONE);
  assert.deepEqual(names(), ["z"]);
});

test("after another plugin its result is printed untouched, and what was asked is added", (t) => {
  const { ask, sandbox, kernel } = setUp(t);
  const ns = sandbox();
  const host = kernel.netlink.addLink({ kind: "veth", name: "theirs", peer: { name: "eth0", netns: ns } });
  const before = kernel.render();
  const prevResult = {
    cniVersion: "1.1.0",
    interfaces: [{ name: "eth0", sandbox: NETNS, unheard: [1, { of: "it" }] }],
    ips: [{ address: "192.0.2.9/24", interface: 0 }],
    dns: {},
    more: true,
  };
  const wishes = {
    prevResult,
    sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" },
    runtimeConfig: {
      portMappings: [{ hostPort: 80, containerPort: 8080 }],
      bandwidth: { ingressRate: 8000, egressRate: 8000 },
    },
  };
  const added = ask("ADD", wishes);
  assert.deepEqual([added.exitCode, jsonOf(added)], [0, prevResult]);
  assert.equal(kernel.openIn(ns).sysctl.read("net/ipv4/conf/eth0/arp_filter"), "1");
  assert.deepEqual(
    kernel.netlink.listPaces().map(({ bytesPerSecond }) => bytesPerSecond),
    [1000, 1000],
  );
  assert.deepEqual(ask("CHECK", wishes), DONE);
  assert.deepEqual(ask("DEL", { prevResult }), DONE);
  assert.ok(kernel.netlink.findLink("theirs"), "the cable is not ours to take");
  assert.equal(kernel.netlink.findLink("theirs")?.index, host.index);
  assert.equal(kernel.render().replace(/ pace 1000 received by #\d+/, ""), before);
});

test("loopback is what containerd asks for before all else", (t) => {
  const { ask, sandbox, loopbacks } = setUp(t);
  const config = { type: "loopback", name: "cni-loopback", cniVersion: "0.3.1" };
  const none = { network: undefined };
  sandbox();
  const added = ask("ADD", config, { CNI_IFNAME: "lo" }, none);
  assert.deepEqual(jsonOf(added)["interfaces"], [{ name: "lo", mac: "00:00:00:00:00:00", sandbox: NETNS }]);
  assert.deepEqual(loopbacks, [NETNS]);
  assert.deepEqual(ask("DEL", config, { CNI_IFNAME: "lo" }, none), DONE);
});

test("whatever comes in, an answer goes out and nothing stays", (t) => {
  const { answering, kernel, network } = setUp(t);
  const before = kernel.render();
  const env = {
    CNI_COMMAND: "ADD",
    CNI_CONTAINERID: "a",
    CNI_IFNAME: "eth0",
    CNI_NETNS: NETNS,
    CNI_PATH: "/x",
    CNI_ARGS: "IP=1.2.3.4;K=V",
  };
  const runtimeConfig = { ips: ["10.42.3.3/29"], portMappings: [{ hostPort: 1, containerPort: 2 }] };
  const stdin = JSON.stringify({ ...NAME, sysctl: { "net.a": "1" }, mtu: 9, runtimeConfig, prevResult: {} });
  const whole = Buffer.from(encodeCall({ env, stdin }));
  let state = 5;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state >> 8;
  };
  const pieces = [
    "{}",
    "[]",
    '"',
    "null",
    "-1",
    "1e400",
    "\0",
    "DEL",
    "GC",
    "../",
    "ä",
    '"__proto__":{}',
    ",",
  ];
  for (let round = 0; round < 4000; round++) {
    const at = random() % whole.length;
    const piece = Buffer.from(pieces[random() % pieces.length] ?? "");
    const bytes = Buffer.concat([whole.subarray(0, at), piece, whole.subarray(at + (random() % 12))]);
    const answer = answerBytes(bytes, answering);
    if (answer.exitCode === 1) assert.equal(typeof jsonOf(answer)["code"], "number", `round ${round}`);
    else assert.equal(answer.stdout, "", `round ${round}: without a namespace nothing can be added`);
  }
  assert.deepEqual(network.list(), []);
  assert.equal(kernel.render(), before);
});
