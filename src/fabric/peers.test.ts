import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseMac } from "#addr/mac";
import type { Lease, NodeView, Peer } from "./model.ts";
import { readLease } from "./node-view.ts";
import { readMembers, readPeers } from "./peers.ts";

const P = "flannel.alpha.coreos.com/";
const CLUSTER = [parseCidr("10.42.0.0/16"), parseCidr("fd42::/56")];
const LEASE: Lease = {
  node: "own",
  podCidrs: { 4: parseCidr("10.42.0.0/24"), 6: parseCidr("fd42::/64") },
  macs: { 4: parseMac("02:00:00:00:00:04") },
};

function node(name: string, subnet: number, more: Readonly<Record<string, string>> = {}): NodeView {
  const mac = (family: number) => `02:00:00:00:${subnet.toString(16).padStart(2, "0")}:0${family}`;
  const annotations = {
    [`${P}kube-subnet-manager`]: "true",
    [`${P}backend-type`]: "vxlan",
    [`${P}backend-data`]: `{"VNI":1,"VtepMAC":"${mac(4)}"}`,
    [`${P}public-ip`]: `192.0.2.${subnet}`,
    [`${P}backend-v6-data`]: `{"VNI":1,"VtepMAC":"${mac(6)}"}`,
    [`${P}public-ipv6`]: `2001:db8::${subnet}`,
    ...Object.fromEntries(Object.entries(more).map(([key, value]) => [P + key, value])),
  };
  return {
    name,
    podCidrs: [`10.42.${subnet}.0/24`, `fd42:0:0:${subnet.toString(16)}::/64`],
    annotations,
    addresses: [`198.51.100.${subnet}`],
  };
}

const read = (views: readonly NodeView[], before: readonly Peer[] = []) =>
  readPeers(views, { lease: LEASE, clusterCidrs: CLUSTER, vni: 1, ownIps: new Set(), before });
const summary = (peers: readonly Peer[]) => peers.map(({ node, family }) => `${node}/${family}`);

const sound = node("b", 1);
const cases: readonly [name: string, view: NodeView, peers: readonly string[], refused: readonly string[]][] =
  [
    ["sound", node("c", 2), ["b/4", "b/6", "c/4", "c/6"], []],
    ["of a backend nobody speaks", node("c", 2, { "backend-type": "udp" }), ["b/4", "b/6"], []],
    ["of another backend", node("c", 2, { "backend-type": "host-gw" }), ["b/4", "b/6", "c/4", "c/6"], []],
    ["unmanaged", node("c", 2, { "kube-subnet-manager": "false" }), ["b/4", "b/6"], []],
    ["without a subnet", { ...node("c", 2), podCidrs: [] }, ["b/4", "b/6"], []],
    ["with one family", { ...node("c", 2), podCidrs: ["10.42.2.0/24"] }, ["b/4", "b/6", "c/4"], []],
    [
      "whose IPv4 half is nonsense",
      node("c", 2, { "backend-data": "nonsense" }),
      ["b/4", "b/6", "c/6"],
      [`c ${P}backend-data`],
    ],
    [
      "whose tunnel is said to end among the pods",
      node("c", 2, { "public-ip": "10.42.9.9" }),
      ["b/4", "b/6", "c/6"],
      [`c ${P}public-ip`],
    ],
    [
      "with another VNI",
      node("c", 2, { "backend-v6-data": '{"VNI":2,"VtepMAC":"02:00:00:00:02:06"}' }),
      ["b/4", "b/6", "c/4"],
      [`c ${P}backend-v6-data`],
    ],
    [
      "that claims our subnet",
      { ...node("c", 2), podCidrs: ["10.42.0.0/24"] },
      ["b/4", "b/6"],
      ["c spec.podCIDRs"],
    ],
    [
      "that claims all of the cluster",
      { ...node("c", 2), podCidrs: ["10.42.0.0/16"] },
      ["b/4", "b/6"],
      ["c spec.podCIDRs"],
    ],
    [
      "that claims part of another's",
      { ...node("c", 2), podCidrs: ["10.42.1.128/25"] },
      ["b/4", "b/6"],
      ["c spec.podCIDRs"],
    ],
    [
      "that claims the whole of another's",
      { ...node("c", 2), podCidrs: ["10.42.1.0/24"] },
      ["b/4", "b/6"],
      ["c spec.podCIDRs"],
    ],
    [
      "whose subnet is outside the cluster's",
      { ...node("c", 2), podCidrs: ["192.0.2.0/24"] },
      ["b/4", "b/6"],
      ["c spec.podCIDRs"],
    ],
    [
      "with our MAC",
      node("c", 2, { "backend-data": '{"VNI":1,"VtepMAC":"02:00:00:00:00:04"}' }),
      ["b/4", "b/6", "c/6"],
      [`c ${P}backend-data`],
    ],
    [
      "with another's MAC",
      node("c", 2, { "backend-data": '{"VNI":1,"VtepMAC":"02:00:00:00:01:04"}' }),
      ["b/4", "b/6", "c/6"],
      [`c ${P}backend-data`],
    ],
  ];
for (const [name, view, peers, refused] of cases)
  test(`a node ${name} takes nothing from the others`, () => {
    const reading = read([view, sound]);
    assert.deepEqual(summary(reading.peers), peers);
    assert.deepEqual(
      reading.refusals.map(({ node, key }) => `${node} ${key}`),
      refused,
    );
  });

test("a node that starts to write nonsense keeps what worked, until its subnet changes", () => {
  const { peers } = read([sound]);
  const garbled = node("b", 1, { "public-ip": "everywhere" });
  const after = read([garbled], peers);
  assert.deepEqual(after.peers, peers);
  assert.equal(after.refusals.length, 1);
  const elsewhere = { ...garbled, podCidrs: ["10.42.3.0/24"] };
  assert.deepEqual(summary(read([elsewhere], peers).peers), []);
});

test("tunnel packets are taken from every address a node has, and from where its tunnel is said to end", () => {
  const views = [sound, { ...node("c", 2), addresses: ["198.51.100.2", "not an address", "2001:db8:1::2"] }];
  const { peers } = read([sound]);
  assert.deepEqual(readMembers(views, peers, CLUSTER), [
    "192.0.2.1",
    "198.51.100.1",
    "198.51.100.2",
    "2001:db8:1::2",
    "2001:db8::1",
  ]);
});

const leases: readonly [name: string, view: NodeView | undefined, why: RegExp][] = [
  ["unregistered", undefined, /not registered/],
  ["without podCIDR", { ...sound, podCidrs: [] }, /no podCIDR/],
  [
    "outside the cluster",
    { ...sound, podCidrs: ["172.16.0.0/24"] },
    /outside the cluster's 10\.42\.0\.0\/16 and fd42::\/56/,
  ],
  [
    "with two of one family",
    { ...sound, podCidrs: ["10.42.1.0/24", "10.42.2.0/24"] },
    /two podCIDRs of one family/,
  ],
  ["with nonsense", { ...sound, podCidrs: ["pods"] }, /"pods"/],
];
for (const [name, view, why] of leases)
  test(`a node ${name} waits, and says why`, () => {
    const reading = readLease(view, CLUSTER);
    assert.ok(reading.kind === "pending");
    assert.match(reading.why, why);
  });

test("every node of a large cluster is a peer", () => {
  const views = Array.from({ length: 250 }, (_, i) => node(`n${i}`, i + 1));
  const reading = read(views);
  assert.equal(reading.peers.length, 500);
  assert.deepEqual(reading.refusals, []);
});
