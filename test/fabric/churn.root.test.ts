/** Nodes come, go and change, people and programs delete and bend what we keep in the kernel, and the agent is killed in between:
 *  at the end the kernel holds exactly what is wanted, and two pods that had nothing to do with it lost no packet. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressOf, nthIp } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { type Ip, isIp } from "#addr/ip";
import type { Node } from "#kube/generated/types";
import { AgentChild } from "./agent-child.ts";
import { addVxlan, addVxlanPeer, podNetns, runIn, wirePod } from "./by-hand.ts";
import { type Chance, chance } from "./chance.ts";
import { becomes, type Listing, listingOf, listKernel, type PaperNode, paperNode } from "./kernel-listing.ts";
import { LAN, type Machine, Machines } from "./machines.ts";
import { openNetwork, subnetsOf } from "./node-agent.ts";
import { Pod } from "./pod.ts";

const SEED = Number(process.env["CHURN_SEED"] ?? 20_261_122);
const STEPS = Number(process.env["CHURN_STEPS"] ?? 160);
const KILLS = 3;
const NAMES = 24;
const PATIENCE_MS = 20_000;
const DEVICES = ["flannel.1", "flannel-v6.1"] as const;

const machines = new Machines(`twt-${process.pid}-ch`);
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
stack.use(machines);
const [one, two] = [machines.add("one"), machines.add("two")];
/** The nodes that stay as they are; their numbers, MACs and all. */
const still = [paperOf(one, 0), paperOf(two, 1)] as const;
const world = new Map<string, PaperNode>();
/** Nodes that write what nobody can read. */
const mad = new Map<string, Node>();
let child: AgentChild;

function paperOf({ name, ips }: Machine, number: number): PaperNode {
  return {
    name,
    number,
    kind: "vxlan",
    ips,
    macs: [`02:00:00:00:0${number}:04`, `02:00:00:00:0${number}:06`],
  };
}

function nodes(): readonly Node[] {
  return [...still, ...world.values()].map(paperNode).concat([...mad.values()]);
}

before(async () => {
  child = stack.use(AgentChild.spawn(one, nodes()));
  await child.report;
  for (const [i, name] of DEVICES.entries()) {
    const end = (paper: PaperNode) => ({
      name,
      local: paper.ips[i] ?? paper.ips[0],
      mac: paper.macs[i] ?? "",
      subnet: subnetsOf(paper.number)[i] ?? subnetsOf(paper.number)[0],
    });
    const [own, peer] = [end(still[1]), end(still[0])];
    assert.ok(own.subnet && peer.subnet);
    addVxlan(two, { ...own, subnet: own.subnet });
    addVxlanPeer(two, { ...peer, subnet: peer.subnet });
  }
});

const isPodNetwork = (text: string) => isIp(text.split("/")[0] ?? "") && /^(?:10\.42\.|fd42:)/.test(text);
const list = () => listKernel(one.path, isPodNetwork);

function wanted(): Listing {
  const addresses = [...mad.values()].flatMap(
    ({ status }) => status?.addresses?.map(({ address }) => address) ?? [],
  );
  return listingOf([still[1], ...world.values()], [...one.ips, ...addresses.filter(isIp)] as readonly Ip[]);
}

async function again(random: Chance): Promise<void> {
  child.tell(nodes());
  await new Promise((resolve) => setTimeout(resolve, random.below(40)));
  await child.kill();
  change(random);
  bend(random);
  child = stack.use(AgentChild.spawn(one, nodes()));
  // Sometimes the next blow comes before it has got up.
  if (random.below(2) === 0) await child.report;
}

test("whatever happens, the end is right, and who is not concerned notices nothing", async (t) => {
  const pods = await startPods();
  for (const { pod, to } of pods) await pod.startStream(to, 2);
  const random = chance(SEED);
  const killAt = new Set(Array.from({ length: KILLS }, () => random.below(STEPS)));
  for (let step = 0; step < STEPS; step++) {
    if (random.below(3) > 0) change(random);
    else bend(random);
    if (killAt.has(step)) await again(random);
    else if (random.below(2) === 0) child.tell(nodes());
    await new Promise((resolve) => setTimeout(resolve, random.below(12)));
  }
  child.tell(nodes());
  await becomes(list, wanted(), `seed ${SEED}`);
  for (const { pod, to } of pods) {
    const { sent, lost } = await pod.stopStream();
    t.diagnostic(`${sent} packets to ${to}; ${world.size} nodes, ${mad.size} mad`);
    assert.deepEqual(lost, [], `to ${to}, seed ${SEED}`);
    assert.ok(sent > 100);
  }
});

test("devices that are set down, renumbered, emptied and deleted are whole again", async () => {
  for (const line of [
    "ip link set flannel.1 down",
    "ip link set flannel.1 up",
    "ip link set flannel-v6.1 down",
    "ip addr flush dev flannel.1",
    "ip link set flannel.1 address 02:11:11:11:11:11",
    "ip link set flannel-v6.1 mtu 1280",
    "ip route flush proto 84",
    "ip -6 route flush proto 84",
    "ip link del flannel-v6.1",
    "nft flush ruleset",
  ])
    type(line);
  const devices = () =>
    DEVICES.map((name) => {
      const link = one.kernel.netlink.findLink(name);
      const addresses = one.kernel.netlink.listAddresses().filter((row) => row.link === link?.index);
      const own = addresses.map(({ address }) => address).filter((address) => !address.startsWith("fe80:"));
      return { name, mac: link?.mac, mtu: link?.mtuBytes, isUp: link?.isUp, own };
    });
  const right = DEVICES.map((name, i) => ({
    name,
    mac: still[0].macs[i],
    mtu: i === 0 ? 1450 : 1430,
    isUp: true,
    own: [i === 0 ? "10.42.0.0/32" : "fd42::/128"],
  }));
  const deadline = performance.now() + PATIENCE_MS;
  while (JSON.stringify(devices()) !== JSON.stringify(right) && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual(devices(), right);
  await becomes(list, wanted(), `seed ${SEED}`);
});

async function startPods() {
  const path = podNetns(machines, two);
  const ips = wirePod(two, { path, subnets: subnetsOf(1), mtuBytes: 1430 });
  stack.use(await Pod.start(path));
  const pods: { readonly pod: Pod; readonly to: Ip }[] = [];
  using network = openNetwork(one, { podCidrs: subnetsOf(0), mtuBytes: 1430 });
  for (const family of FAMILIES) {
    const own = machines.netns(`pod${family}`);
    network.add({ containerId: `pod${family}`, ifname: "eth0", netns: own.ns });
    const to = ips.get(family);
    assert.ok(to);
    pods.push({ pod: stack.use(await Pod.start(own.path)), to });
  }
  return pods;
}

/** One thing that happens to the cluster. */
function change(random: Chance): void {
  const known = [...world.values()];
  const node = known[random.below(known.length)];
  const what = random.below(9);
  if (what === 8) goMad(random);
  else if (node === undefined || what < 3) join(random);
  else alter(node, what, random);
}

/** Something about a node is another from now on. */
function alter(node: PaperNode, what: number, random: Chance): void {
  const { name } = node;
  const free = freeNumber(random);
  switch (what) {
    case 3:
      world.delete(name);
      return;
    case 4:
      world.set(name, { ...node, ips: ipsOf(freeNumber(random)) });
      return;
    case 5:
      world.set(name, { ...node, macs: macsOf(random.below(60_000) + 5_000) });
      return;
    case 6:
      world.set(name, { ...node, number: free });
      return;
    default: {
      // Renamed: the new one comes before the old one goes, and has all that was its.
      const next = `n${NAMES + random.below(1_000)}`;
      if (world.has(next)) return;
      world.set(next, { ...node, name: next });
      child.tell(nodes());
      world.delete(name);
    }
  }
}

function join(random: Chance): void {
  const name = `n${random.below(NAMES)}`;
  const number = freeNumber(random);
  if (!world.has(name))
    world.set(name, { name, number, kind: "vxlan", ips: ipsOf(number), macs: macsOf(number) });
}

/** A node that never said anything that could be understood. */
function goMad(random: Chance): void {
  const name = `mad${random.below(4)}`;
  const number = freeNumber(random);
  const node = paperNode({ name, number, kind: "vxlan", ips: ipsOf(number), macs: macsOf(number) });
  const key = ["backend-data", "backend-v6-data", "public-ip", "public-ipv6"];
  const nonsense = [
    "",
    "null",
    "{}",
    '{"VNI":1}',
    "$(reboot)",
    "256.1.1.1",
    "0.0.0.0",
    "::",
    '{"VNI":-1,"VtepMAC":7}',
  ];
  const annotations = { ...node.metadata.annotations };
  for (const suffix of key)
    annotations[`flannel.alpha.coreos.com/${suffix}`] = nonsense[random.below(nonsense.length)] ?? "";
  mad.set(name, { ...node, metadata: { ...node.metadata, annotations } });
}

function freeNumber(random: Chance): number {
  const taken = new Set([...world.values()].map(({ number }) => number));
  for (;;) {
    const number = 2 + random.below(200);
    if (!taken.has(number)) return number;
  }
}

function ipsOf(number: number): readonly [Ip, Ip] {
  const [v4, v6] = LAN;
  assert.ok(v4 && v6);
  return [nthIp(v4, 40 + number), nthIp(v6, 40 + number)];
}

function macsOf(number: number): readonly [string, string] {
  const hex = number.toString(16).padStart(4, "0");
  const mac = (family: number) => `06:00:0${family}:00:${hex.slice(0, 2)}:${hex.slice(2)}`;
  return [mac(4), mac(6)];
}

/** One thing that somebody else does to our entries; those of the nodes that stay are left alone. */
function bend(random: Chance): void {
  const known = [...world.values()];
  const node = known[random.below(known.length)];
  if (node === undefined) return;
  const i = random.below(2);
  const [dev, ip, mac] = [DEVICES[i] ?? DEVICES[0], node.ips[i], node.macs[i]];
  const to = subnetsOf(node.number)[i];
  assert.ok(to);
  const gateway = addressOf(to);
  const spare = subnetsOf(240 + random.below(10))[i];
  assert.ok(spare);
  const lines = [
    `ip route del ${to}`,
    `ip route replace ${to} dev eth0`,
    `ip route add ${spare} via ${addressOf(spare)} dev ${dev} onlink`,
    `ip neigh del ${gateway} dev ${dev}`,
    `ip neigh replace ${gateway} lladdr 02:66:66:66:66:66 dev ${dev} nud permanent`,
    `ip neigh replace ${addressOf(spare)} lladdr 02:66:66:66:66:66 dev ${dev} nud permanent`,
    `bridge fdb del ${mac} dev ${dev} dst ${ip} self`,
    `bridge fdb append ${mac} dev ${dev} dst ${ipsOf(250 - 40)[i]} self permanent`,
    `bridge fdb append 02:66:66:66:66:66 dev ${dev} dst ${ip} self permanent`,
    `nft delete element inet twill-fabric members${i === 0 ? 4 : 6} { ${ip} }`,
    "nft delete table inet twill-fabric",
  ];
  type(lines[random.below(lines.length)] ?? "");
}

/** What is not there any more cannot be bent. */
function type(line: string): void {
  const [command = "", ...words] = line.split(" ");
  try {
    runIn(one.path, command, ...words);
  } catch {
    // The agent was faster, or was not there.
  }
}
