import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Cidr, parseCidr, parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { openFakeKernel } from "#kernel/fake/kernel";
import { NftError } from "#kernel/nft-error";
import { silentLog } from "#telemetry/log";
import { isHostVethName } from "./cable.ts";
import { CniFault } from "./cni-fault.ts";
import type { PortMapping, SandboxNetworkOptions } from "./model.ts";
import { openSandboxNetwork } from "./open.ts";
import { readPortMappings } from "./port-claims.ts";
import { portElement, portSet } from "./port-program.ts";

const DUAL = [parseCidr("10.42.3.0/24"), parseCidr("fd42:0:0:3::/64")];
const CLUSTER = [parseCidr("10.42.0.0/16"), parseCidr("fd42::/56")];

function setUp(t: TestContext, podCidrs: readonly Cidr[] = DUAL) {
  const kernel = openFakeKernel();
  const ipamDir = mkdtempSync(join(tmpdir(), "twill-cni-"));
  t.after(() => rmSync(ipamDir, { recursive: true }));
  const options: SandboxNetworkOptions = {
    kernel,
    bridge: "cni0",
    mtuBytes: 1450,
    podCidrs,
    clusterCidrs: CLUSTER,
    ipamDir,
    log: silentLog,
  };
  const sandbox = (name: string) => kernel.createNetns(`/run/netns/${name}`);
  return {
    kernel,
    ipamDir,
    options,
    open: (more = {}) => openSandboxNetwork({ ...options, ...more }),
    sandbox,
  };
}

test("a sandbox gets its cable, addresses and routes", (t) => {
  const { kernel, open, sandbox } = setUp(t);
  const ns = sandbox("a");
  const added = open().add({ containerId: "a", ifname: "eth0", netns: ns });
  assert.ok(isHostVethName(added.hostVeth));
  assert.deepEqual(added, {
    containerId: "a",
    ifname: "eth0",
    ips: ["10.42.3.2/24", "fd42:0:0:3::2/64"],
    mac: "0a:58:0a:2a:03:02",
    mtuBytes: 1450,
    gateways: ["10.42.3.1", "fd42:0:0:3::1"],
    routes: [
      { to: "0.0.0.0/0", via: "10.42.3.1" },
      { to: "10.42.0.0/16", via: "10.42.3.1" },
      { to: "::/0", via: "fd42:0:0:3::1" },
      { to: "fd42::/56", via: "fd42:0:0:3::1" },
    ],
    bridge: { name: "cni0", mac: "0a:58:0a:2a:03:01", mtuBytes: 1450 },
    hostLink: { name: added.hostVeth, mac: added.hostLink.mac, mtuBytes: 1450 },
    hostVeth: added.hostVeth,
  });
  const inside = kernel.render(ns);
  for (const line of [
    "link eth0 veth up mtu 1450",
    "address 10.42.3.2/24 dev eth0",
    "route 0.0.0.0/0 via 10.42.3.1 dev eth0",
    "route 10.42.0.0/16 via 10.42.3.1 dev eth0",
    "route ::/0 via fd42:0:0:3::1 dev eth0",
    "route fd42::/56 via fd42:0:0:3::1 dev eth0",
  ])
    assert.ok(inside.includes(line), line);
  const node = kernel.render();
  assert.ok(node.includes("link cni0 bridge up mtu 1450"));
  assert.ok(node.includes("address 10.42.3.1/24 dev cni0"));
  assert.ok(node.includes(`link ${added.hostVeth} veth up mtu 1450 master cni0 hairpin`));
});

test("a bridge that stands is taken over: its MAC and ports stay, an address of an earlier subnet goes", (t) => {
  const { kernel, open } = setUp(t);
  const before = kernel.netlink.addLink({ kind: "bridge", name: "cni0", mtuBytes: 1500 });
  kernel.netlink.addAddress(before.index, parseIpPrefix("10.42.9.1/24"));
  open();
  const after = kernel.netlink.findLink("cni0");
  assert.deepEqual(after, { ...before, mtuBytes: 1450, isUp: true });
  assert.deepEqual(
    kernel.netlink
      .listAddresses()
      .filter(({ link }) => link === before.index)
      .map(({ address }) => address)
      .sort(),
    ["10.42.3.1/24", "fd42:0:0:3::1/64"],
  );
});

test("a link of another kind with the bridge's name is left alone, and said", (t) => {
  const { kernel, open } = setUp(t);
  kernel.netlink.addLink({ kind: "veth", name: "cni0", peer: { name: "other" } });
  assert.throws(
    open,
    (error) => error instanceof CniFault && error.code === "NotABridge" && /cni0.*veth/.test(error.message),
  );
});

const calls = ["addLink", "changeLink", "addAddress", "replaceRoute", "changeElements"] as const;
for (const call of calls)
  test(`when ${call} is refused, nothing of the sandbox is left, and the next try works`, (t) => {
    const { kernel, ipamDir, open, sandbox } = setUp(t);
    const network = open();
    const ns = sandbox("a");
    const portMappings = [{ hostPort: 80, containerPort: 8080, protocol: "TCP" }];
    const before = kernel.render();
    // Elements are tried twice: once more after a look at what stands.
    kernel.fail(call, "ENOMEM", call === "changeElements" ? 2 : 1);
    assert.throws(() => network.add({ containerId: "a", ifname: "eth0", netns: ns, portMappings }));
    assert.equal(kernel.render(), before);
    assert.deepEqual(network.list(), []);
    assert.deepEqual(
      readdirSync(join(ipamDir, "cbr0")).filter((name) => name.startsWith("10.")),
      [],
    );
    assert.deepEqual(readdirSync(join(ipamDir, "cbr0-hostports")), []);
    assert.deepEqual(kernel.nft.listElements(portSet("ports", 4)), []);
    assert.equal(network.add({ containerId: "a", ifname: "eth0", netns: ns, portMappings }).ips.length, 2);
    assert.equal(kernel.nft.listElements(portSet("ports", 4)).length, 1);
  });

test("a removed bridge is made again for the next sandbox", (t) => {
  const { kernel, open, sandbox } = setUp(t);
  const network = open();
  kernel.netlink.deleteLink(kernel.netlink.findLink("cni0")?.index ?? 0);
  network.add({ containerId: "a", ifname: "eth0", netns: sandbox("a") });
  assert.ok(kernel.render().includes("address 10.42.3.1/24 dev cni0"));
});

test("a restart knows every sandbox, and collects those that are gone", (t) => {
  const { kernel, open, sandbox } = setUp(t);
  const network = open();
  const portMappings = [{ hostPort: 80, containerPort: 8080, protocol: "tcp", hostIP: "0.0.0.0" }];
  for (const id of ["a", "b", "c"])
    network.add({
      containerId: id,
      ifname: "eth0",
      netns: sandbox(id),
      portMappings: id === "b" ? portMappings : [],
    });
  // A cable without a record: the record's disk was lost, or a process died before this design.
  const orphan = kernel.netlink.addLink({
    kind: "veth",
    name: "veth0123456789a",
    peer: { name: "x" },
    master: kernel.netlink.findLink("cni0")?.index ?? 0,
  });
  const again = open();
  assert.deepEqual(again.list(), network.list());
  assert.deepEqual(
    again
      .collect(new Set(["a", "unheard-of"]))
      .map(({ containerId }) => containerId)
      .sort(),
    ["b", "c"],
  );
  assert.deepEqual(
    again.list().map(({ containerId }) => containerId),
    ["a"],
  );
  assert.equal(kernel.netlink.findLink(orphan.name), undefined);
  assert.deepEqual(kernel.nft.listElements(portSet("ports", 4)), []);
  assert.deepEqual(again.collect(new Set(["a"])), []);
});

test("of two claims on one host port the later has it, and the earlier gets it back", (t) => {
  const { kernel, open, sandbox } = setUp(t, [parseCidr("10.42.3.0/24")]);
  const network = open();
  const portMappings = [{ hostPort: 80, containerPort: 8080, protocol: "TCP" }];
  const target = (ip: string) =>
    portElement({ protocol: "tcp", hostIp: undefined, hostPort: 80, ip: parseIp(ip), containerPort: 8080 });
  const standing = () => kernel.nft.listElements(portSet("ports", 4));
  for (const id of ["a", "b"])
    network.add({ containerId: id, ifname: "eth0", netns: sandbox(id), portMappings });
  assert.deepEqual(standing(), [target("10.42.3.3")]);
  network.remove({ containerId: "b", ifname: "eth0" });
  assert.deepEqual(standing(), [target("10.42.3.2")]);
  network.remove({ containerId: "a", ifname: "eth0" });
  assert.deepEqual(standing(), []);
});

test("a host port that the node itself needs is nobody's", (t) => {
  const { open, sandbox } = setUp(t);
  const network = open({ reservedPorts: [{ protocol: "tcp", port: 6443, why: "the Kubernetes API" }] });
  const add = (id: string, hostPort: number, protocol: string) =>
    network.add({
      containerId: id,
      ifname: "eth0",
      netns: sandbox(id),
      portMappings: [{ hostPort, containerPort: 80, protocol }],
    });
  assert.throws(() => add("a", 6443, "TCP"), {
    code: "Taken",
    message: "Cannot publish host port 6443/tcp: this node needs it for the Kubernetes API",
  });
  assert.deepEqual(network.list(), []);
  add("b", 6443, "UDP");
  add("c", 6444, "TCP");
});

test("host ports that something else flushed are put back at the next change, and nothing gets stuck", (t) => {
  const { kernel, open, sandbox } = setUp(t, [parseCidr("10.42.3.0/24")]);
  const network = open();
  const add = (id: string, hostPort: number) =>
    network.add({
      containerId: id,
      ifname: "eth0",
      netns: sandbox(id),
      portMappings: [{ hostPort, containerPort: 8080, protocol: "TCP" }],
    });
  add("a", 80);
  add("b", 81);
  kernel.nft.run("delete table inet twill-hostports");
  network.remove({ containerId: "a", ifname: "eth0" });
  assert.equal(kernel.nft.listElements(portSet("ports", 4)).length, 1);
});

test("a UDP host port forgets the flows that led nowhere", (t) => {
  const { kernel, open, sandbox } = setUp(t, [parseCidr("10.42.3.0/24")]);
  const flow = (destinationPort: number) => {
    const end = { source: parseIp("192.0.2.1"), destination: parseIp("192.0.2.10"), sourcePort: 4000 };
    const reply = {
      source: end.destination,
      destination: end.source,
      sourcePort: destinationPort,
      destinationPort: 4000,
    };
    return { family: 4, protocol: 17, original: { ...end, destinationPort }, reply } as const;
  };
  for (const port of [53, 54]) kernel.conntrack.track(flow(port));
  const portMappings = [{ hostPort: 53, containerPort: 53, protocol: "UDP" }];
  open().add({ containerId: "a", ifname: "eth0", netns: sandbox("a"), portMappings });
  assert.deepEqual(kernel.conntrack.listFlows({ family: 4, protocol: 17 }), [flow(54)]);
});

const IPS = [parseIpPrefix("10.42.3.2/24"), parseIpPrefix("fd42:0:0:3::2/64")];
const mappings: readonly [name: string, mapping: PortMapping, entries: number | RegExp][] = [
  ["of every address, in both families", { hostPort: 80, containerPort: 8080, protocol: "TCP" }, 2],
  [
    "of the unspecified address",
    { hostPort: 80, containerPort: 8080, protocol: "tcp", hostIP: "0.0.0.0" },
    2,
  ],
  ["of one IPv6 address", { hostPort: 80, containerPort: 8080, protocol: "sctp", hostIP: "2001:db8::1" }, 1],
  ["that is not published", { hostPort: 0, containerPort: 8080, protocol: "TCP" }, 0],
  ["of a strange protocol", { hostPort: 80, containerPort: 8080, protocol: "ICMP" }, /"ICMP"/],
  ["of no address", { hostPort: 80, containerPort: 8080, protocol: "TCP", hostIP: "eth0" }, /"eth0"/],
  ["beyond the ports", { hostPort: 70_000, containerPort: 8080, protocol: "TCP" }, /70000/],
];
for (const [name, mapping, expected] of mappings)
  test(`a host port ${name}`, () => {
    if (typeof expected === "number") assert.equal(readPortMappings([mapping], IPS).length, expected);
    else assert.throws(() => readPortMappings([mapping], IPS), expected);
  });

const keys = ["", "../x", "a/b", ".hidden", "a b"];
for (const containerId of keys)
  test(`container id ${JSON.stringify(containerId)} is refused`, (t) => {
    const { open, sandbox } = setUp(t);
    assert.throws(() => open().add({ containerId, ifname: "eth0", netns: sandbox("a") }), CniFault);
  });

const NEXT = { podCidrs: [parseCidr("10.42.7.0/24"), parseCidr("fd42:0:0:7::/64")], mtuBytes: 1430 };

test("adjusted, the bridge moves at once and the next pods with it; those that stand keep theirs, and can go", (t) => {
  const { kernel, open, sandbox } = setUp(t);
  const network = open();
  const portMappings = [{ hostPort: 80, containerPort: 8080, protocol: "TCP" }];
  const old = network.add({ containerId: "old", ifname: "eth0", netns: sandbox("old"), portMappings });
  network.adjust(NEXT);
  assert.deepEqual([network.podCidrs, network.mtuBytes], [NEXT.podCidrs, 1430]);
  const ns = sandbox("new");
  const added = network.add({ containerId: "new", ifname: "eth0", netns: ns });
  assert.deepEqual(added.ips, ["10.42.7.2/24", "fd42:0:0:7::2/64"]);
  assert.deepEqual(added.gateways, ["10.42.7.1", "fd42:0:0:7::1"]);
  assert.match(kernel.render(ns), /link eth0 veth up mtu 1430/);
  const node = kernel.render();
  assert.match(node, /link cni0 bridge up mtu 1430/);
  assert.match(node, /address 10\.42\.7\.1\/24 dev cni0/);
  assert.doesNotMatch(node, /address 10\.42\.3\.1\/24 dev cni0/);
  assert.match(node, new RegExp(`link ${old.hostVeth} `));
  assert.equal(kernel.nft.listElements(portSet("ports", 4)).length, 1, "its host port stays");
  network.remove({ containerId: "old", ifname: "eth0" });
  assert.deepEqual(
    network.list().map(({ containerId }) => containerId),
    ["new"],
  );
  assert.equal(kernel.nft.listElements(portSet("ports", 4)).length, 0);
});

test("an adjustment that is refused leaves what is given out as it was, and the next one goes through", (t) => {
  const { kernel, open, sandbox } = setUp(t);
  const network = open();
  kernel.fail("changeLink", "ENOMEM");
  assert.throws(() => network.adjust(NEXT));
  assert.deepEqual([network.podCidrs, network.mtuBytes], [DUAL, 1450]);
  network.adjust(NEXT);
  assert.equal(network.add({ containerId: "a", ifname: "eth0", netns: sandbox("a") }).ips[0], "10.42.7.2/24");
});

test("adjusted to what it is, nothing is asked of the kernel", (t) => {
  const { kernel, open } = setUp(t);
  const network = open();
  const calls = new Map(kernel.calls);
  network.adjust({ podCidrs: [...DUAL], mtuBytes: 1450 });
  assert.deepEqual(new Map(kernel.calls), calls);
});

type Damage = readonly [what: string, harm: (kernel: ReturnType<typeof openFakeKernel>) => void];
const bridgeOf = (kernel: ReturnType<typeof openFakeKernel>) => kernel.netlink.findLink("cni0")?.index ?? 0;
const damages: readonly Damage[] = [
  ["the host ports' table", ({ nft }) => nft.run("delete table inet twill-hostports")],
  ["the rules of the host ports' table", ({ nft }) => nft.run("flush table inet twill-hostports")],
  ["a host port", ({ nft }) => nft.run("flush map inet twill-hostports ports4")],
  ["the bridge", (kernel) => kernel.netlink.deleteLink(bridgeOf(kernel))],
  ["the bridge's state", (kernel) => kernel.netlink.changeLink(bridgeOf(kernel), { isUp: false })],
  [
    "the gateway's address",
    (kernel) => kernel.netlink.deleteAddress(bridgeOf(kernel), parseIpPrefix("10.42.3.1/24")),
  ],
];
for (const [what, harm] of damages)
  test(`what took ${what} is undone by a repair, and the next one finds nothing to do`, (t) => {
    const { kernel, open, sandbox } = setUp(t);
    const network = open();
    const portMappings = [{ hostPort: 80, containerPort: 8080, protocol: "TCP" }];
    network.add({ containerId: "a", ifname: "eth0", netns: sandbox("a"), portMappings });
    const orGone = <T>(f: () => T) => {
      try {
        return f();
      } catch (error) {
        if (error instanceof NftError) return "gone";
        throw error;
      }
    };
    const world = () => [
      kernel.render(),
      orGone(() => kernel.nft.list("list table inet twill-hostports")),
      ...(["ports", "targets"] as const).map((set) => orGone(() => kernel.nft.listElements(portSet(set, 4)))),
    ];
    const before = world();
    harm(kernel);
    assert.notDeepEqual(world(), before);
    assert.equal(network.repair().length, 1);
    assert.deepEqual(world(), before);
    assert.deepEqual(network.repair(), []);
  });

test("wishes are followed: MAC, addresses, bandwidth, settings", (t) => {
  const { kernel, open, sandbox } = setUp(t);
  const ns = sandbox("a");
  const added = open().add({
    containerId: "a",
    ifname: "eth0",
    netns: ns,
    mac: parseMac("02:00:00:00:00:09"),
    ips: [parseIp("10.42.3.77")],
    bandwidth: { ingressBits: 8000, egressBits: 16_000 },
    tuning: {
      sysctls: { "net.core.somaxconn": "9", "net/ipv4/conf/IFNAME/arp_filter": "1" },
      mtuBytes: 1300,
      isPromiscuous: true,
      isAllMulticast: true,
      sendQueueLength: 5,
    },
  });
  assert.deepEqual([added.mac, added.ips[0], added.mtuBytes], ["02:00:00:00:00:09", "10.42.3.77/24", 1300]);
  const inside = kernel.openIn(ns);
  const { mac, mtuBytes, isPromiscuous, isAllMulticast, sendQueueLength } =
    inside.netlink.findLink("eth0") ?? {};
  assert.deepEqual(
    { mac, mtuBytes, isPromiscuous, isAllMulticast, sendQueueLength },
    { mac: added.mac, mtuBytes: 1300, isPromiscuous: true, isAllMulticast: true, sendQueueLength: 5 },
  );
  assert.equal(inside.sysctl.read("net.core.somaxconn"), "9");
  assert.equal(inside.sysctl.read("net.ipv4.conf.eth0.arp_filter"), "1");
  assert.match(kernel.render(), new RegExp(`${added.hostVeth} .* pace 1000 received by twbw`));
  assert.match(kernel.render(), /twbw[0-9a-f]+ ifb up mtu 1300 pace 2000/);
});

for (const name of [
  "kernel.shmmax",
  "net",
  "net/../kernel/shmmax",
  "net..core",
  "/net/core/x",
  "vm.swappiness",
  "net.a b",
])
  test(`${name} is no setting of a pod's`, (t) => {
    const { open, sandbox, kernel } = setUp(t);
    const network = open();
    const ns = sandbox("a");
    const before = kernel.render();
    assert.throws(
      () =>
        network.add({ containerId: "a", ifname: "eth0", netns: ns, tuning: { sysctls: { [name]: "1" } } }),
      (error) => error instanceof CniFault && error.code === "BadRequest",
    );
    assert.equal(kernel.render(), before);
  });

for (const call of ["paceLink", "redirectReceived"] as const)
  test(`a kernel without ${call} refuses a pod that is to be limited, and keeps nothing of it`, (t) => {
    const { open, sandbox, kernel } = setUp(t);
    const network = open();
    const ns = sandbox("a");
    const before = kernel.render();
    kernel.fail(call, "ENOENT");
    assert.throws(
      () => network.add({ containerId: "a", ifname: "eth0", netns: ns, bandwidth: { egressBits: 8000 } }),
      (error) => error instanceof CniFault && error.code === "Unsupported" && /sch_tbf/.test(error.message),
    );
    assert.equal(kernel.render(), before);
  });

test("a machine that was started again gives the same container its network once more", (t) => {
  const { open, sandbox, kernel } = setUp(t);
  const request = { containerId: "a", ifname: "eth0", netns: sandbox("a"), network: "cbr0" };
  const { hostVeth } = open().add(request);
  // All links are gone after a reboot.
  kernel.netlink.deleteLink(kernel.netlink.findLink(hostVeth)?.index ?? 0);
  const network = open();
  assert.equal(network.add(request).ips.length, 2);
  kernel.netlink.deleteLink(kernel.netlink.findLink(hostVeth)?.index ?? 0);
  assert.deepEqual(network.collect(new Set()), [{ containerId: "a", ifname: "eth0" }]);
  assert.deepEqual(network.list(), []);
});

test("a pacer that nothing is written down for goes, another's stays", (t) => {
  const { open, kernel } = setUp(t);
  const network = open();
  for (const name of ["twbw0123456789a", "bwp0123456789a"]) kernel.netlink.addLink({ kind: "ifb", name });
  network.collect(new Set());
  assert.deepEqual(
    kernel.netlink
      .listLinks()
      .filter(({ kind }) => kind === "ifb")
      .map(({ name }) => name),
    ["bwp0123456789a"],
  );
});
