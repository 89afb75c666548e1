import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { CLAIMS } from "#kernel/claims";
import { openFakeKernel } from "#kernel/fake/kernel";
import { applyFabric } from "./apply.ts";
import { desiredFabric } from "./desired.ts";
import {
  type FabricConfig,
  type FabricSnapshot,
  type FabricState,
  type Peer,
  PLAIN_GROUND,
  VXLAN,
} from "./model.ts";
import { observeFabric } from "./observe.ts";
import { planFabric } from "./plan.ts";
import { observeUnderlays } from "./underlay.ts";

const CLUSTER = [parseCidr("10.42.0.0/16"), parseCidr("fd42::/56")];
const CONFIG: FabricConfig = {
  clusterCidrs: CLUSTER,
  nodeIps: [parseIp("192.0.2.10"), parseIp("2001:db8::10")],
  backend: VXLAN,
  guard: true,
  masquerade: { 4: "fully-random" },
  subnetFile: "/run/flannel/subnet.env",
};
const MACS = { 4: parseMac("02:00:00:00:00:04"), 6: parseMac("02:00:00:00:00:06") };

function peer(node: string, number: number, family: 4 | 6): Peer {
  return {
    node,
    family,
    podCidr: parseCidr(family === 4 ? `10.42.${number}.0/24` : `fd42:0:0:${number}::/64`),
    runs: "flannel",
    primary: "vxlan",
    ends: {
      vxlan: {
        vni: 1,
        mac: parseMac(`02:00:00:00:0${number}:0${family}`),
        publicIp: parseIp(family === 4 ? `192.0.2.1${number}` : `2001:db8::1${number}`),
      },
    },
  };
}
const PEERS = [peer("b", 1, 4), peer("b", 1, 6), peer("c", 2, 4), peer("c", 2, 6)];

function snapshot(peers: readonly Peer[]): FabricSnapshot {
  return {
    lease: { node: "own", podCidrs: { 4: parseCidr("10.42.0.0/24"), 6: parseCidr("fd42::/64") }, macs: MACS },
    said: {},
    peers,
    members: [...peers.flatMap(({ ends }) => ends.vxlan?.publicIp ?? []), ...CONFIG.nodeIps],
  };
}

/** A machine with eth0 on the node's addresses. */
function openMachine() {
  const kernel = openFakeKernel();
  const eth0 = kernel.netlink.addLink({ kind: "bridge", name: "eth0", mtuBytes: 1500, isUp: true });
  for (const [i, ip] of CONFIG.nodeIps.entries())
    kernel.netlink.addAddress(eth0.index, `${ip}/${i === 0 ? 24 : 64}` as never);
  const round = (peers: readonly Peer[]) => {
    const known = observeFabric(kernel, { nowMs: 0, clusterCidrs: CLUSTER });
    const ground = {
      underlays: observeUnderlays(kernel.netlink, CONFIG),
      macs: MACS,
      canFilterBridged: true,
      ...PLAIN_GROUND,
    };
    const want = desiredFabric(snapshot(peers), ground, CONFIG);
    const ops = planFabric(want, known);
    return { ops, want, ...applyFabric(ops, known, kernel) };
  };
  return { kernel, eth0, round };
}

const sorted = ({ neighbors, fdb, routes, members, ...rest }: FabricState) => ({
  ...rest,
  neighbors: [...neighbors].sort(),
  fdb: [...fdb].sort(),
  routes: [...routes].sort(),
  members: [...members].sort(),
  program: rest.program?.name,
});

test("what was applied is what is observed, and the next round finds nothing to do", () => {
  const { kernel, round } = openMachine();
  const first = round(PEERS);
  assert.deepEqual(first.faults, []);
  assert.deepEqual(sorted(first.state), sorted(first.want));
  assert.deepEqual(sorted(observeFabric(kernel, { nowMs: 0, clusterCidrs: CLUSTER })), sorted(first.want));
  assert.deepEqual(round(PEERS).ops, []);
});

test("nodes that left while nobody ran leave nothing", () => {
  const { kernel, round } = openMachine();
  round(PEERS);
  const second = round(PEERS.filter(({ node }) => node === "b"));
  assert.deepEqual(second.faults, []);
  assert.deepEqual(sorted(observeFabric(kernel, { nowMs: 0, clusterCidrs: CLUSTER })), sorted(second.want));
  assert.doesNotMatch(kernel.render(), /10\.42\.2\.|fd42:0:0:2:|02:00:00:00:02/);
});

test("routes of ours on other links go, those of others stay", () => {
  const { kernel, eth0, round } = openMachine();
  const via = parseIp("192.0.2.1");
  const [ours, theirs, elsewhere] = ["10.42.8.0/24", "10.42.9.0/24", "172.16.0.0/16"].map((text) =>
    parseCidr(text),
  );
  assert.ok(ours && theirs && elsewhere);
  kernel.netlink.replaceRoute({ to: ours, via, link: eth0.index, protocol: CLAIMS.routeProtocol });
  kernel.netlink.replaceRoute({ to: theirs, via, link: eth0.index, protocol: 4 });
  kernel.netlink.replaceRoute({ to: elsewhere, via, link: eth0.index, protocol: CLAIMS.routeProtocol });
  round(PEERS);
  const left = kernel.netlink.listRoutes(4).map(({ to }) => to);
  assert.ok(!left.includes(ours));
  assert.ok(left.includes(theirs) && left.includes(elsewhere));
});

const calls = [
  "addLink",
  "changeLink",
  "addAddress",
  "replaceNeighbor",
  "replaceFdb",
  "replaceRoute",
  "run",
] as const;
for (const call of calls)
  test(`a refused ${call} is told, the rest goes ahead, and the next round heals it`, () => {
    const { kernel, round } = openMachine();
    kernel.fail(call, "ENOBUFS");
    const first = round(PEERS);
    assert.ok(first.faults.length > 0);
    assert.deepEqual(
      sorted({ ...observeFabric(kernel, { nowMs: 0, clusterCidrs: CLUSTER }), sysctls: first.state.sysctls })
        .routes,
      sorted(first.state).routes,
      "what apply says is true is true",
    );
    assert.deepEqual(round(PEERS).faults, []);
    assert.deepEqual(round(PEERS).ops, []);
  });

for (const text of ["delete table inet twill-fabric", "flush table inet twill-fabric"])
  test(`after ${text} the next look loads the program again`, () => {
    const { kernel, round } = openMachine();
    round(PEERS);
    const before = kernel.nft.list("list table inet twill-fabric");
    kernel.nft.run(text);
    assert.deepEqual(
      round(PEERS).ops.map(({ op }) => op),
      ["load-program"],
    );
    assert.equal(kernel.nft.list("list table inet twill-fabric"), before);
    assert.deepEqual(round(PEERS).ops, []);
  });

test("a link of another kind with our device's name is replaced", () => {
  const { kernel, round } = openMachine();
  kernel.netlink.addLink({ kind: "bridge", name: "flannel.1" });
  assert.deepEqual(round(PEERS).faults, []);
  assert.equal(kernel.netlink.findLink("flannel.1")?.kind, "vxlan");
});

const underlays: readonly [
  name: string,
  config: Pick<FabricConfig, "nodeIps" | "iface">,
  local: string | undefined,
][] = [
  ["the node address's link", { nodeIps: [parseIp("192.0.2.10")] }, "192.0.2.10"],
  ["none for an address nobody has", { nodeIps: [parseIp("192.0.2.99")] }, undefined],
  ["the named link's first address", { nodeIps: [], iface: "eth0" }, "192.0.2.10"],
  [
    "the node address on the named link, not the first",
    { nodeIps: [parseIp("192.0.2.200")], iface: "eth0" },
    "192.0.2.200",
  ],
  ["none for a link that is not there", { nodeIps: [parseIp("192.0.2.10")], iface: "wan0" }, undefined],
];
for (const [name, config, local] of underlays)
  test(`the underlay is ${name}`, () => {
    const { kernel, eth0 } = openMachine();
    kernel.netlink.addAddress(eth0.index, "192.0.2.200/24" as never);
    assert.equal(observeUnderlays(kernel.netlink, config)[4]?.local, local);
  });
