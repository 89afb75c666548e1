import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import type { Path, Peer } from "../model.ts";
import type { PeerHealth } from "../probe/model.ts";
import { buildStatus, type StandingInput, type StatusInput, sessionKey } from "./build.ts";
import type { PeerStatus } from "./model.ts";
import { isFine } from "./print.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const B = parseIp("192.0.2.11");
const SUBNET = parseCidr("10.42.1.0/24");
const KEY = "b".repeat(43).concat("=");
const NATTED = parseIp("198.51.100.7");

const VXLAN_END = { vni: 1, mac: parseMac("02:00:00:00:01:04"), publicIp: B };
const WIREGUARD_END = { publicKey: KEY, port: 51_820, publicIp: NATTED };
const PEER: Peer = {
  node: "b",
  family: 4,
  podCidr: SUBNET,
  runs: "twill",
  primary: "vxlan",
  ends: { vxlan: VXLAN_END, wireguard: WIREGUARD_END },
};
const common = { node: "b", family: 4, podCidr: SUBNET } as const;
const BY_VXLAN: Path = { ...common, kind: "vxlan", end: VXLAN_END };
const BY_WIREGUARD: Path = { ...common, kind: "wireguard", end: WIREGUARD_END };
const BY_ROUTE: Path = { ...common, kind: "host-gw", end: { publicIp: B } };
const HEALTH: PeerHealth = { node: "b", family: 4, kind: "vxlan", device: "flannel.1", offload: "works" };

const device = {
  families: [4],
  isUp: true,
  underlay: "eth0",
  local: parseIp("192.0.2.10"),
  carrier: null,
} as const;

function standing(change: Partial<StandingInput> = {}): StandingInput {
  return {
    lease: { node: "a", podCidrs: { 4: parseCidr("10.42.0.0/24") }, macs: {} },
    mtuBytes: 1420,
    devices: [
      { ...device, name: "flannel.1", kind: "vxlan", mtuBytes: 1450, port: 8472 },
      {
        ...device,
        name: "flannel-wg",
        kind: "wireguard",
        mtuBytes: 1420,
        port: 51_820,
        carrier: "userspace",
      },
    ],
    program: { name: "program-0", rules: 1 },
    ports: [8472, 51_820],
    routes: new Map([[SUBNET, { device: "flannel.1", onlink: true }]]),
    peers: [PEER],
    paths: [BY_VXLAN],
    unreachable: [],
    refusals: [],
    nodes: [
      { name: "a", addresses: ["192.0.2.10"] },
      { name: "b", addresses: [B, "b.example", NATTED] },
    ],
    counters: {
      received: new Map([
        [B, { packets: 5, bytes: 500 }],
        [NATTED, { packets: 1, bytes: 100 }],
      ]),
      strangers: { total: { packets: 0, bytes: 0 }, listed: [], isFull: false },
    },
    health: [],
    wireguard: new Map(),
    ...change,
  };
}

function status(change: Partial<StandingInput> = {}, more: Partial<StatusInput> = {}) {
  return buildStatus({
    nowMs: NOW_MS,
    node: "a",
    backend: "vxlan",
    isGuarded: true,
    waitingFor: [],
    findings: [],
    rounds: { total: 1, failed: 0, repairs: 0, lastSeconds: null, lastFaults: [] },
    standing: standing(change),
    ...more,
  });
}

const overWireguard = (handshakeMs: number | undefined): Partial<StandingInput> => ({
  paths: [BY_WIREGUARD],
  routes: new Map([[SUBNET, { device: "flannel-wg", onlink: false }]]),
  wireguard: new Map([
    [sessionKey("flannel-wg", KEY), { endpoint: "198.51.100.7:4711", handshakeMs, received: 77, sent: 88 }],
  ]),
});

const cases: readonly {
  readonly name: string;
  readonly change: Partial<StandingInput>;
  readonly row: Partial<PeerStatus>;
}[] = [
  {
    name: "nobody asks, and its way stands",
    change: {},
    row: {
      state: "ok",
      kind: "vxlan",
      endpoint: "192.0.2.11",
      mtuBytes: 1450,
      received: { packets: 6, bytes: 600 },
      sentBytes: null,
      problems: [],
    },
  },
  {
    name: "it answers",
    change: {
      health: [{ ...HEALTH, reachable: true, lastAnswerMs: NOW_MS - 2000, roundTripUs: 310, mtuBytes: 1400 }],
    },
    row: { state: "ok", answeredSeconds: 2, roundTripMs: 0.31, pathMtuBytes: 1400 },
  },
  {
    name: "it has not been asked yet",
    change: { health: [HEALTH] },
    row: { state: "waiting", answeredSeconds: null },
  },
  {
    name: "it answers no more",
    change: { health: [{ ...HEALTH, reachable: false, lastAnswerMs: NOW_MS - 90_000 }] },
    row: { state: "down", answeredSeconds: 90, problems: ["it does not answer through flannel.1"] },
  },
  {
    name: "its route is missing",
    change: { routes: new Map() },
    row: { state: "waiting", mtuBytes: null, problems: ["there is no route to 10.42.1.0/24 yet"] },
  },
  {
    name: "there is no way",
    change: { paths: [], unreachable: [{ peer: PEER, why: "it speaks ipip" }] },
    row: {
      state: "down",
      kind: null,
      endpoint: null,
      received: null,
      sentBytes: null,
      problems: ["it speaks ipip"],
    },
  },
  {
    name: "part of what it says is refused",
    change: { refusals: [{ node: "b", key: "backend-v6-data", value: "x", problem: "is no JSON" }] },
    row: { state: "ok", problems: ["backend-v6-data: is no JSON"] },
  },
  {
    name: "checksums are filled in by the kernel",
    change: { health: [{ ...HEALTH, reachable: true, offload: "broken" }] },
    row: {
      state: "ok",
      problems: [
        "packets through flannel.1 whose checksums were left to the devices did not arrive, so the kernel fills them in",
      ],
    },
  },
  {
    name: "over WireGuard, after a handshake",
    change: overWireguard(NOW_MS - 30_000),
    row: {
      state: "ok",
      kind: "wireguard",
      endpoint: "198.51.100.7:4711",
      handshakeSeconds: 30,
      mtuBytes: 1420,
      received: { packets: 6, bytes: 77 },
      sentBytes: 88,
    },
  },
  {
    name: "over WireGuard, before one",
    change: overWireguard(undefined),
    row: { state: "waiting", handshakeSeconds: null },
  },
  { name: "over WireGuard, long after one", change: overWireguard(NOW_MS - 200_000), row: { state: "down" } },
  {
    name: "by a plain route, which nothing counts",
    change: { paths: [BY_ROUTE], routes: new Map([[SUBNET, { device: "eth0", via: B, onlink: false }]]) },
    row: { state: "ok", kind: "host-gw", endpoint: "192.0.2.11", received: null, sentBytes: null },
  },
];

for (const { name, change, row } of cases)
  test(`a peer: ${name}`, () => {
    const whole = status(change);
    const [peer] = whole.peers;
    assert.ok(peer);
    for (const [key, value] of Object.entries(row)) assert.deepEqual(Reflect.get(peer, key), value, key);
    assert.equal(isFine(whole), row.state === "ok");
  });

test("a node that offers no way is told with its reasons", () => {
  const nodes = [...standing().nodes, { name: "d", addresses: [] }, { name: "c", addresses: [] }];
  const refusals = [{ node: "c", key: "backend-data", value: "", problem: "is no JSON" }];
  assert.deepEqual(status({ nodes, refusals }).silent, [
    { node: "c", problems: ["backend-data: is no JSON"] },
    { node: "d", problems: ["it has announced no way to its pods"] },
  ]);
});

test("a stranger with a node's address is told from one with nobody's", () => {
  const listed = [
    { ip: parseIp("203.0.113.9"), packets: 7, bytes: 700, lastMs: 3200 },
    { ip: B, packets: 1, bytes: 100, lastMs: 60_000 },
  ];
  const counters = {
    received: new Map(),
    strangers: { total: { packets: 8, bytes: 800 }, listed, isFull: false },
  };
  const { guard } = status({ counters });
  assert.deepEqual(
    [guard.state, guard.ports, guard.strangers],
    ["on", [8472, 51_820], { packets: 8, bytes: 800 }],
  );
  assert.deepEqual(
    guard.listed.map(({ ip, node, secondsAgo }) => [ip, node, secondsAgo]),
    [
      ["203.0.113.9", null, 3],
      [B, "b", 60],
    ],
  );
  assert.equal(status({ counters }, { isGuarded: false }).guard.state, "off");
  assert.equal(status({ program: undefined }).guard.state, "absent");
});

test("a node without its subnet says what it waits for, and is not fine", () => {
  const early = status({}, { standing: undefined, waitingFor: ["no podCIDR yet"] });
  assert.deepEqual([early.peers, early.podCidrs, early.guard.state], [[], [], "absent"]);
  assert.equal(isFine(early), false);
});
