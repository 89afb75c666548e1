import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr, parseIpPrefix } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { CLAIMS } from "#kernel/claims";
import { openFakeKernel } from "#kernel/fake/kernel";
import { silentLog } from "#telemetry/log";
import { applyFabric } from "./apply.ts";
import { removeDeadEnds } from "./dead-end.ts";
import { desiredFabric } from "./desired.ts";
import {
  type FabricBackend,
  type FabricConfig,
  type FabricSnapshot,
  type FabricState,
  HOST_GW,
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
  const round = (peers: readonly Peer[], backend: FabricBackend = VXLAN, nodeIps = CONFIG.nodeIps) => {
    const config = { ...CONFIG, backend, nodeIps };
    const known = observeFabric(kernel, { nowMs: 0, clusterCidrs: CLUSTER });
    const ground = {
      underlays: observeUnderlays(kernel.netlink, config),
      macs: MACS,
      canFilterBridged: true,
      ...PLAIN_GROUND,
    };
    const want = desiredFabric(snapshot(peers), ground, config);
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

const deadEndsOf = (kernel: ReturnType<typeof openFakeKernel>) =>
  FAMILIES.flatMap((family) => kernel.netlink.listRoutes(family))
    .filter(({ kind }) => kind !== undefined)
    .map(({ to }) => to);

test("where there is no way to a pod's node, packets end here: under a tunnel of our own only", () => {
  const { kernel, round } = openMachine();
  round(PEERS);
  assert.deepEqual(deadEndsOf(kernel), CLUSTER);
  assert.equal(kernel.netlink.lookupRoute(parseIp("10.42.9.9")), undefined);
  assert.equal(kernel.netlink.lookupRoute(parseIp("10.42.1.9"))?.via, "10.42.1.0");
  round(PEERS, HOST_GW);
  assert.deepEqual(deadEndsOf(kernel), []);
});

test("dead ends come after the routes of peers, and back when they are gone or others stand in their stead", () => {
  const { kernel, round } = openMachine();
  const first = round(PEERS).ops.map(({ op }) => op);
  assert.ok(first.indexOf("add-dead-end") > first.lastIndexOf("replace-route"));
  for (const family of FAMILIES)
    for (const route of kernel.netlink.listRoutes(family))
      if (route.kind !== undefined) kernel.netlink.deleteRoute(route);
  const [network] = CLUSTER;
  assert.ok(network);
  kernel.netlink.replaceRoute({ to: network, link: 0, kind: "unreachable" });
  kernel.netlink.replaceRoute({ to: parseCidr("10.42.1.0/28"), link: 0, kind: "unreachable" });
  const user = { to: network, link: 0, kind: "unreachable", protocol: 4, metric: 7 } as const;
  kernel.netlink.replaceRoute(user);
  assert.deepEqual(
    round(PEERS).ops.map(({ op }) => op),
    ["add-dead-end", "add-dead-end", "delete-stray", "delete-stray"],
  );
  assert.deepEqual(round(PEERS).ops, []);
  assert.deepEqual(deadEndsOf(kernel).sort(), [...CLUSTER, network].sort());
});

test("a pod network that the machine itself is in has no dead end", () => {
  const { kernel, eth0, round } = openMachine();
  kernel.netlink.deleteAddress(eth0.index, parseIpPrefix("192.0.2.10/24"));
  kernel.netlink.addAddress(eth0.index, parseIpPrefix("10.42.200.1/24"));
  const nodeIps = [parseIp("10.42.200.1"), parseIp("2001:db8::10")];
  assert.deepEqual(round(PEERS, VXLAN, nodeIps).faults, []);
  assert.deepEqual(deadEndsOf(kernel), ["fd42::/56"]);
});

test("in a cluster that brings its own network dead ends go, and nothing else", () => {
  const { kernel, round } = openMachine();
  round(PEERS);
  const before = kernel.render();
  removeDeadEnds(kernel.netlink, silentLog);
  assert.equal(kernel.render(), before.replaceAll(/^route unreachable .*\n/gm, ""));
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
