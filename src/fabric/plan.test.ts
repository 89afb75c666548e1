import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { formatFlannelNode } from "#wire/flannel-annotations";
import { desiredFabric } from "./desired.ts";
import {
  type FabricConfig,
  type FabricState,
  type Ground,
  NOTHING,
  type NodeView,
  PLAIN_GROUND,
  VXLAN,
} from "./model.ts";
import { readLease } from "./node-view.ts";
import { readMembers, readPeers } from "./peers.ts";
import { planFabric } from "./plan.ts";
import { renderFabric } from "./render.ts";

const CONFIG: FabricConfig = {
  clusterCidrs: [parseCidr("10.42.0.0/16"), parseCidr("fd42::/56")],
  nodeIps: [parseIp("192.0.2.10"), parseIp("2001:db8::10")],
  backend: VXLAN,
  guard: true,
  masquerade: { 4: "fully-random", 6: "plain" },
  subnetFile: "/run/flannel/subnet.env",
};
const GROUND: Ground = {
  underlays: {
    4: { index: 2, name: "eth0", mtuBytes: 1500, local: parseIp("192.0.2.10"), connected: [], routed: [] },
    6: { index: 2, name: "eth0", mtuBytes: 1500, local: parseIp("2001:db8::10"), connected: [], routed: [] },
  },
  macs: { 4: parseMac("02:00:00:00:00:04"), 6: parseMac("02:00:00:00:00:06") },
  canFilterBridged: true,
  ...PLAIN_GROUND,
};

interface NodeShape {
  readonly name: string;
  readonly subnet: number;
  readonly mac?: number;
  readonly host?: number;
}

/** A node by numbers: subnet 10.42.N.0/24 and fd42:0:0:N::/64, MACs ending in the number, address 192.0.2.HOST. */
function node({ name, subnet, mac = subnet, host = 10 + subnet }: NodeShape): NodeView {
  const end = (family: number, publicIp: string) => ({
    vni: 1,
    mac: parseMac(`02:00:00:00:0${mac}:0${family}`),
    publicIp: parseIp(publicIp),
  });
  const addresses = [`192.0.2.${host}`, `2001:db8::${host}`] as const;
  return {
    name,
    podCidrs: [`10.42.${subnet}.0/24`, `fd42:0:0:${subnet}::/64`],
    annotations: formatFlannelNode({
      kind: "vxlan",
      ends: { 4: end(4, addresses[0]), 6: end(6, addresses[1]) },
    }),
    addresses,
  };
}

function stateOf(views: readonly NodeView[], ground: Ground = GROUND, config = CONFIG): FabricState {
  const reading = readLease(views[0], config.clusterCidrs);
  assert.ok(reading.kind === "acquired");
  const { lease } = reading;
  const { peers, refusals } = readPeers(views, {
    lease,
    clusterCidrs: config.clusterCidrs,
    vni: 1,
    ownIps: new Set(),
    before: [],
  });
  assert.deepEqual(refusals, []);
  return desiredFabric(
    { lease, said: {}, peers, members: readMembers(views, peers, config.clusterCidrs) },
    ground,
    config,
  );
}

const own = node({ name: "own", subnet: 0, host: 10 });
const b = node({ name: "b", subnet: 1 });
const c = node({ name: "c", subnet: 2 });
const moved: Ground = {
  ...GROUND,
  underlays: {
    4: { index: 2, name: "eth0", mtuBytes: 9000, local: parseIp("192.0.2.99"), connected: [], routed: [] },
    6: { index: 2, name: "eth0", mtuBytes: 9000, local: parseIp("2001:db8::10"), connected: [], routed: [] },
  },
};
const before = stateOf([own, b]);
const v4Only: FabricConfig = {
  ...CONFIG,
  clusterCidrs: [parseCidr("10.42.0.0/16")],
  masquerade: { 4: "plain" },
};
const ownV4 = { ...own, podCidrs: ["10.42.0.0/24"] };

const cases: readonly { readonly name: string; readonly known: FabricState; readonly want: FabricState }[] = [
  { name: "first-start", known: NOTHING, want: before },
  {
    name: "first-start-one-family",
    known: NOTHING,
    want: stateOf([ownV4, { ...b, podCidrs: ["10.42.1.0/24"] }], GROUND, v4Only),
  },
  { name: "node-joins", known: before, want: stateOf([own, b, c]) },
  { name: "node-leaves", known: stateOf([own, b, c]), want: before },
  { name: "node-changes-mac", known: before, want: stateOf([own, node({ name: "b", subnet: 1, mac: 7 })]) },
  {
    name: "node-changes-address",
    known: before,
    want: stateOf([own, node({ name: "b", subnet: 1, host: 77 })]),
  },
  {
    name: "node-changes-subnet",
    known: before,
    want: stateOf([own, node({ name: "b", subnet: 5, mac: 1, host: 11 })]),
  },
  {
    name: "nodes-swap-subnets",
    known: stateOf([own, b, c]),
    want: stateOf([
      own,
      node({ name: "b", subnet: 2, mac: 1, host: 11 }),
      node({ name: "c", subnet: 1, mac: 2, host: 12 }),
    ]),
  },
  {
    name: "own-subnet-changes",
    known: before,
    want: stateOf([node({ name: "own", subnet: 6, mac: 0, host: 10 }), b]),
  },
  { name: "own-address-and-mtu-change", known: before, want: stateOf([own, b], moved) },
  {
    name: "device-is-down",
    known: {
      ...before,
      vteps: { ...before.vteps, 4: { ...before.vteps[4], isUp: false } as never },
      routes: new Map(),
      neighbors: new Map(),
    },
    want: before,
  },
];

for (const { name, known, want } of cases)
  test(`plan: ${name}`, (t) => {
    const text = renderFabric(planFabric(want, known));
    const path = fileURLToPath(new URL(`./testdata/${name}.txt`, import.meta.url));
    t.assert.fileSnapshot(text, path, { serializers: [(value) => String(value)] });
  });

test("what is wanted already needs nothing", () => {
  for (const { want, name } of cases) assert.deepEqual(planFabric(want, want), [], name);
});

test("everything new comes before anything old goes", () => {
  for (const { known, want, name } of cases) {
    const ops = planFabric(want, known).filter(({ op }) => /neighbor|fdb|route$/.test(op));
    const firstDelete = ops.findIndex(({ op }) => op.startsWith("delete"));
    const late = firstDelete < 0 ? [] : ops.slice(firstDelete).filter(({ op }) => op.startsWith("replace"));
    assert.deepEqual(late, [], name);
  }
});

test("an address that no link carries is said by name", () => {
  assert.throws(
    () => stateOf([own], { ...GROUND, underlays: {} }),
    /Cannot reach other nodes over IPv4: no link carries 192\.0\.2\.10/,
  );
});

test("a program that is loaded anew is not asked to forget members it never had", () => {
  const known = {
    ...before,
    program: undefined,
    members: new Set([...before.members, parseIp("192.0.2.77")]),
  };
  assert.deepEqual(
    planFabric(before, known).map(({ op }) => op),
    ["load-program"],
  );
});

test("a tunnel never takes more than its link", () => {
  const settings = { ...VXLAN, mtuBytes: 9000 };
  const { vteps } = stateOf([own, b], GROUND, { ...CONFIG, backend: settings });
  assert.deepEqual([vteps[4]?.mtuBytes, vteps[6]?.mtuBytes], [1450, 1430]);
});
