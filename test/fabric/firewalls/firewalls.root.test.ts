/** Firewalls in the way of pods, and out of it by the very commands that are advised. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { addressOf, parseCidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import type { FirewallFinding, FirewallOwner, FirewallTraffic } from "#fabric/firewall/finding";
import type { FirewallNode } from "#fabric/firewall/needs";
import { FirewallWatch } from "#fabric/firewall/watch";
import { VXLAN } from "#fabric/model";
import { openFakeClient } from "#kube/fake/client";
import { NODES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { k3sRules, program } from "../cleanup/kubernetes-rules.ts";
import { CLUSTER, eventually, Machines } from "../machines.ts";
import { type NodeAgent, nodeObject, startAgent } from "../node-agent.ts";
import { Pod } from "../pod.ts";
import {
  DOCKER,
  FIREWALLD,
  FLUSH,
  forwardDrop,
  inputDrop,
  installStandIns,
  OWN_TABLE,
  onMachine,
  UFW,
} from "./firewalls.ts";

const PATIENCE_MS = 120;

const machines = new Machines(`twt-${process.pid}-fw`);
const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
stack.use(machines);
const [one, two] = [machines.add("one"), machines.add("two")];
let a: Awaited<ReturnType<typeof startPod>>;
let b: Awaited<ReturnType<typeof startPod>>;
const log: string[] = [];
let nowMs = 0;

/** Looks at machine one, as its agent would. */
const watch = new FirewallWatch({
  kernel: one.kernel,
  clock: { ...systemClock, now: () => nowMs },
  log: openLog({ write: (line) => void log.push(line), level: "info" }),
  hints: () => ({ iptablesIsOld: false, hasCloudSetup: false }),
  node: (): FirewallNode => ({
    clusterCidrs: CLUSTER,
    serviceCidrs: [parseCidr("10.43.0.0/16"), parseCidr("fd43::/112")],
    nodeIps: one.ips,
    peerIps: two.ips,
    iface: undefined,
    backend: VXLAN,
    apiPort: 6443,
    kubeletPort: 10_250,
  }),
});

async function startPod(agent: NodeAgent, name: string) {
  const { ns, path } = machines.netns(name);
  const { ips } = agent.network.add({ containerId: name, ifname: "eth0", netns: ns });
  return { pod: stack.use(await Pod.start(path)), ips: ips.map(addressOf) };
}

before(async () => {
  installStandIns(one);
  const client = openFakeClient();
  for (const [i, machine] of [one, two].entries()) await client.create(NODES, nodeObject(machine, i));
  const [first, second] = [
    stack.use(await startAgent(one, client)),
    stack.use(await startAgent(two, client)),
  ];
  for (const { kernel } of [one, two])
    await eventually(
      "both know each other",
      () => kernel.netlink.listRoutes(6).filter((route) => route.onlink).length === 1,
    );
  a = await startPod(first, "a");
  b = await startPod(second, "b");
});

/** In which families the pods hear each other, whoever begins. */
async function talking(): Promise<readonly number[]> {
  const asked = await Promise.all(
    [0, 1].flatMap((i) => [
      a.pod.askUdp(b.ips[i] ?? "", { patienceMs: PATIENCE_MS }),
      b.pod.askUdp(a.ips[i] ?? "", { patienceMs: PATIENCE_MS }),
    ]),
  );
  return [4, 6].filter((_, i) => asked[i * 2] !== undefined && asked[i * 2 + 1] !== undefined);
}

/** A minute later: the old tables do not say that they changed. */
function look(): readonly FirewallFinding[] {
  nowMs += 60_000;
  watch.look();
  return watch.findings;
}

function found(findings: readonly FirewallFinding[]): readonly string[] {
  return findings.map(({ owner, drops, family }) => `${owner} ${drops} ${family}`).sort();
}

function both(owner: FirewallOwner, ...kinds: readonly FirewallTraffic[]): readonly string[] {
  return kinds.flatMap((kind) => [`${owner} ${kind} 4`, `${owner} ${kind} 6`]).sort();
}

interface Case {
  readonly name: string;
  readonly rules: string;
  readonly finds: readonly string[];
}

const THROUGH: readonly FirewallTraffic[] = ["pods", "pods-out"];
const ALL: readonly FirewallTraffic[] = [...THROUGH, "pods-to-node", "tunnel", "api", "kubelet"];
const cases: readonly Case[] = [
  { name: "FORWARD policy DROP", rules: forwardDrop("nft"), finds: both("iptables", ...THROUGH) },
  {
    name: "FORWARD policy DROP in the legacy tables",
    rules: forwardDrop("legacy"),
    finds: both("iptables", ...THROUGH),
  },
  {
    name: "INPUT policy DROP against the tunnel",
    rules: inputDrop("nft"),
    finds: both("iptables", "pods-to-node", "tunnel", "api", "kubelet"),
  },
  {
    name: "INPUT policy DROP in the legacy tables",
    rules: inputDrop("legacy"),
    finds: both("iptables", "pods-to-node", "tunnel", "api", "kubelet"),
  },
  { name: "Docker", rules: DOCKER, finds: both("docker", ...THROUGH) },
  { name: "ufw", rules: UFW, finds: both("ufw", ...ALL) },
  { name: "firewalld", rules: FIREWALLD, finds: both("firewalld", ...ALL) },
  { name: "a person's own nftables", rules: OWN_TABLE, finds: both("nftables", ...ALL) },
];

for (const { name, rules, finds } of cases)
  test(`${name}: what is found drops, and what is advised lets through`, async () => {
    onMachine(one, FLUSH_FOREIGN);
    assert.deepEqual(look(), [], "nothing is in the way of a machine without a firewall");
    assert.deepEqual(await talking(), [4, 6]);

    onMachine(one, rules);
    const findings = look();
    assert.deepEqual(found(findings), finds);
    assert.ok(
      findings.every(({ isCertain }) => isCertain),
      "each for sure",
    );
    assert.deepEqual(await talking(), [], "and it is so");

    for (const fix of new Set(findings.map((finding) => finding.fix.join("\n")))) onMachine(one, fix);
    assert.deepEqual(look(), []);
    assert.deepEqual(await talking(), [4, 6]);
  });

test("K3s's rules beside ours do no harm", async () => {
  onMachine(one, FLUSH_FOREIGN);
  for (const family of FAMILIES)
    for (const variant of ["nft", "legacy"] as const) {
      const rules = join(one.dir, "k3s-rules");
      writeFileSync(rules, k3sRules(family));
      onMachine(one, `${program(family, variant, "-restore")} --noflush < ${rules}`);
    }
  assert.deepEqual(await talking(), [4, 6]);
  assert.deepEqual(look(), []);
});

test("each is told of once, and again when it is gone", () => {
  const of = (text: string) => log.filter((line) => line.includes(text)).length;
  const gone = of("in the way no more");
  const said = of("a firewall of this machine is in the way") - gone;
  assert.equal(said, cases.flatMap(({ finds }) => finds).length);
  assert.equal(gone, said);
});

/** All but what Twill has. */
const FLUSH_FOREIGN = FLUSH.replace(
  "nft flush ruleset",
  `nft list tables | grep -v twill- | while read -r line; do nft delete $line; done`,
);
