import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { Metrics } from "#telemetry/metrics";
import { declareMetrics } from "./metrics.ts";
import type { FabricStatus, PeerStatus } from "./model.ts";
import { printStatus } from "./print.ts";

const asIs = { serializers: [(text: unknown) => String(text)] };
const golden = (name: string) => join(import.meta.dirname, "testdata", name);

const PEER: PeerStatus = {
  node: "server",
  family: 4,
  runs: "twill",
  state: "ok",
  kind: "vxlan",
  endpoint: "172.30.0.11",
  podCidr: parseCidr("10.42.0.0/24"),
  handshakeSeconds: null,
  answeredSeconds: 2.2,
  roundTripMs: 0.314,
  mtuBytes: 1430,
  pathMtuBytes: 1430,
  received: { packets: 120, bytes: 12_345 },
  sentBytes: null,
  problems: [],
};
const BUSY: FabricStatus = {
  node: "agent-1",
  at: "2026-01-02T03:04:05.000Z",
  backend: "vxlan",
  podCidrs: [parseCidr("10.42.2.0/24"), parseCidr("fd42:0:0:2::/64")],
  mtuBytes: 1430,
  waitingFor: [],
  devices: [
    {
      name: "flannel.1",
      kind: "vxlan",
      families: [4],
      isUp: true,
      mtuBytes: 1450,
      port: 8472,
      underlay: "eth0",
      local: parseIp("172.30.0.12"),
      carrier: null,
    },
    {
      name: "flannel-wg",
      kind: "wireguard",
      families: [4],
      isUp: true,
      mtuBytes: 1420,
      port: 51_820,
      underlay: null,
      local: null,
      carrier: "userspace",
    },
  ],
  guard: {
    state: "on",
    ports: [8472, 51_820],
    strangers: { packets: 8, bytes: 1100 },
    listed: [
      { ip: parseIp("203.0.113.9"), packets: 7, bytes: 1000, secondsAgo: 3, node: null },
      { ip: parseIp("172.30.0.13"), packets: 1, bytes: 100, secondsAgo: 600, node: "agent-2" },
    ],
    isFull: false,
  },
  rounds: {
    total: 12,
    failed: 1,
    repairs: 2,
    lastSeconds: 0.0012,
    lastFaults: ["Cannot add route: no device"],
  },
  findings: [
    {
      summary: "ufw drops what is forwarded to pods",
      fix: ["ufw route allow in on cni0", "ufw route allow out on cni0"],
    },
  ],
  peers: [
    PEER,
    { ...PEER, family: 6, podCidr: parseCidr("fd42::/64"), endpoint: "fd30::b", pathMtuBytes: 1280 },
    {
      ...PEER,
      node: "agent-2",
      state: "down",
      kind: "wireguard",
      endpoint: "172.30.0.13:51820",
      handshakeSeconds: 400,
      answeredSeconds: null,
      roundTripMs: null,
      mtuBytes: 1420,
      pathMtuBytes: null,
      sentBytes: 9_900_000,
      problems: ["it does not answer through flannel-wg"],
    },
    {
      ...PEER,
      node: "old",
      runs: "flannel",
      state: "ok",
      kind: "host-gw",
      endpoint: "172.30.0.14",
      answeredSeconds: null,
      roundTripMs: null,
      mtuBytes: null,
      pathMtuBytes: null,
      received: null,
    },
  ],
  silent: [{ node: "new", problems: ["it has announced no way to its pods"] }],
};
const QUIET: FabricStatus = {
  ...BUSY,
  podCidrs: [],
  mtuBytes: null,
  waitingFor: ["this node has no podCIDR yet"],
  devices: [],
  guard: { state: "absent", ports: [], strangers: { packets: 0, bytes: 0 }, listed: [], isFull: false },
  rounds: { total: 0, failed: 0, repairs: 0, lastSeconds: null, lastFaults: [] },
  findings: [],
  peers: [],
  silent: [],
};
const OPEN: FabricStatus = {
  ...QUIET,
  waitingFor: [],
  guard: {
    ...BUSY.guard,
    state: "off",
    listed: Array.from({ length: 8 }, (_, i) => ({
      ip: parseIp(`203.0.113.${i}`),
      packets: 1,
      bytes: 60,
      secondsAgo: 7300,
      node: null,
    })),
    isFull: true,
  },
};

for (const [name, status] of Object.entries({ busy: BUSY, quiet: QUIET, open: OPEN }))
  test(`as a person reads it: ${name}`, (t) => {
    t.assert.fileSnapshot(printStatus(status), golden(`${name}.txt`), asIs);
  });

test("what others say is no command to a terminal", () => {
  const silent = [
    { node: "b", problems: ["flannel.alpha.coreos.com/backend-data: bad \u001b]0;x\u0007\nok"] },
  ];
  assert.match(printStatus({ ...BUSY, silent }), /^b: \S+: bad \\u\{1b\}\]0;x\\u\{7\}\\u\{a\}ok$/m);
});

test("as Prometheus reads it", (t) => {
  const metrics = new Metrics();
  declareMetrics(metrics, () => BUSY);
  t.assert.fileSnapshot(metrics.expose(), golden("metrics.txt"), asIs);
});
