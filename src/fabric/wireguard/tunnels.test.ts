import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import type { Family } from "#addr/family";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import { keyFromBytes, publicKeyOf } from "#wire/wireguard-key";
import {
  type FabricConfig,
  type Ground,
  type Peer,
  PLAIN_GROUND,
  VXLAN,
  WIREGUARD,
  type WireguardBackend,
} from "../model.ts";
import { choosePaths } from "../paths.ts";
import { desiredTunnels, wantedEndpoints } from "./desired.ts";
import { chooseEnd } from "./endpoint.ts";
import { observeTunnels } from "./observe.ts";
import { planTunnelEnds, planTunnels } from "./plan.ts";
import { renderWireguardOp } from "./render.ts";
import { answeredPeers, type Tunnel } from "./tunnel.ts";
import { TunnelWorld } from "./world.ts";

const OWN_KEY = keyFromBytes(Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 64 : i * 8)));
const OWN = publicKeyOf(OWN_KEY);
/** A public key that one can tell by its first letters. */
const key = (name: string) => `${name.padEnd(42, "x")}A=`;
const [B, C] = [key("bob"), key("carol")];

const CONFIG: FabricConfig = {
  clusterCidrs: [parseCidr("10.42.0.0/16"), parseCidr("fd42::/56")],
  nodeIps: [parseIp("192.0.2.10"), parseIp("2001:db8::10")],
  backend: WIREGUARD,
  guard: true,
  masquerade: {},
  subnetFile: "/run/flannel/subnet.env",
};
const underlay = (local: string) => ({
  index: 2,
  name: "eth0",
  mtuBytes: 1500,
  local: parseIp(local),
  connected: [],
  routed: [],
});
const GROUND: Ground = {
  ...PLAIN_GROUND,
  underlays: { 4: underlay("192.0.2.10"), 6: underlay("2001:db8::10") },
  macs: {},
  canFilterBridged: true,
  publicKey: OWN,
};

interface NodeShape {
  readonly name: string;
  readonly number: number;
  readonly publicKey: string;
  readonly host?: number;
  readonly families?: readonly Family[];
}

function peersOf({ name, number, publicKey, host = 10 + number, families = [4, 6] }: NodeShape): Peer[] {
  return families.map((family) => ({
    node: name,
    family,
    podCidr: parseCidr(family === 4 ? `10.42.${number}.0/24` : `fd42:0:0:${number}::/64`),
    runs: "twill",
    primary: "wireguard",
    ends: {
      wireguard: {
        publicKey,
        port: family === 4 ? 51_820 : 51_821,
        publicIp: parseIp(family === 4 ? `192.0.2.${host}` : `2001:db8::${host}`),
      },
    },
  }));
}

const b: NodeShape = { name: "b", number: 1, publicKey: B };
const c: NodeShape = { name: "c", number: 2, publicKey: C };

interface Change {
  readonly backend?: WireguardBackend;
  readonly ground?: Partial<Ground>;
}

function want(nodes: readonly NodeShape[], { backend = WIREGUARD, ground = {} }: Change = {}) {
  const config = { ...CONFIG, backend };
  const podCidrs = { 4: parseCidr("10.42.0.0/24"), 6: parseCidr("fd42::/64") };
  const snapshot = {
    lease: { node: "own", podCidrs, macs: {} },
    said: {},
    peers: nodes.flatMap(peersOf),
    members: [],
  };
  const input = { snapshot, ground: { ...GROUND, ...ground }, config };
  return desiredTunnels(input, choosePaths(input));
}

type Tunnels = ReadonlyMap<string, Tunnel>;

function planText(wanted: Tunnels, known: Tunnels = new Map()): readonly string[] {
  const ops = [...planTunnels(wanted, known), ...planTunnelEnds(wanted, known)];
  return ops.flatMap((op) => renderWireguardOp(op).split("\n"));
}

/** What stands, with something else about a peer on the IPv4 device. */
function heard(tunnels: Tunnels, publicKey: string, change: object): Tunnels {
  return new Map(
    [...tunnels].map(([name, tunnel]) => {
      const peer = tunnel.peers.get(publicKey);
      const isMeant = name === "flannel-wg" && peer !== undefined;
      const peers = isMeant ? new Map([...tunnel.peers, [publicKey, { ...peer, ...change }]]) : tunnel.peers;
      return [name, { ...tunnel, peers }] as const;
    }),
  );
}

const BOBS_LINES = [
  `wg set flannel-wg peer ${B} endpoint 192.0.2.11:51820 persistent-keepalive 25 allowed-ips 10.42.1.0/24`,
  `wg set flannel-wg-v6 peer ${B} endpoint [2001:db8::11]:51821 persistent-keepalive 25 allowed-ips fd42:0:0:1::/64`,
] as const;

describe("what is done to WireGuard's devices", () => {
  test("the first start makes one for each family", () => {
    assert.deepEqual(planText(want([b])), [
      "ip link add flannel-wg up mtu 1420 type wireguard",
      "wg set flannel-wg listen-port 51820 private-key (hidden)",
      "ip addr add 10.42.0.0/32 dev flannel-wg",
      BOBS_LINES[0],
      "ip link add flannel-wg-v6 up mtu 1420 type wireguard",
      "wg set flannel-wg-v6 listen-port 51821 private-key (hidden)",
      "ip addr add fd42::/128 dev flannel-wg-v6",
      BOBS_LINES[1],
    ]);
    assert.deepEqual(planText(want([b]), want([b])), []);
  });

  test("one device carries both families where that is wanted, by a secret of all nodes' as well", () => {
    const backend = { ...WIREGUARD, mode: "ipv6", presharedKey: key("secret") } as const;
    assert.deepEqual(planText(want([b], { backend })), [
      "ip link add flannel-wg up mtu 1420 type wireguard",
      "wg set flannel-wg listen-port 51820 private-key (hidden)",
      "ip addr add 10.42.0.0/32 dev flannel-wg",
      "ip addr add fd42::/128 dev flannel-wg",
      `wg set flannel-wg peer ${B} preshared-key (hidden) endpoint [2001:db8::11]:51821 persistent-keepalive 25 allowed-ips 10.42.1.0/24,fd42:0:0:1::/64`,
    ]);
  });

  test("nodes join and leave", () => {
    assert.deepEqual(planText(want([b]), want([])), BOBS_LINES);
    assert.deepEqual(planText(want([]), want([b])), [
      `wg set flannel-wg peer ${B} remove`,
      `wg set flannel-wg-v6 peer ${B} remove`,
    ]);
  });

  test("a node's new key has the subnet before the old one goes", () => {
    const renewed = { ...b, publicKey: C };
    assert.deepEqual(planText(want([renewed]), want([b])), [
      ...BOBS_LINES.map((line) => line.replace(B, C)),
      `wg set flannel-wg peer ${B} remove`,
      `wg set flannel-wg-v6 peer ${B} remove`,
    ]);
  });

  test("what somebody changed is put back", () => {
    const known = new Map(want([b]));
    const v6 = known.get("flannel-wg-v6");
    assert.ok(v6);
    known.set("flannel-wg-v6", {
      ...v6,
      publicKey: C,
      listenPort: 1,
      mtuBytes: 1280,
      isUp: false,
      addresses: [],
    });
    assert.deepEqual(planText(want([b]), known), [
      "ip link set flannel-wg-v6 mtu 1420 up",
      "wg set flannel-wg-v6 listen-port 51821 private-key (hidden)",
      "ip addr add fd42::/128 dev flannel-wg-v6",
    ]);
  });

  test("a link of the name that is none of WireGuard's makes room", () => {
    const known = new Map(want([]));
    const v4 = known.get("flannel-wg");
    assert.ok(v4);
    known.set("flannel-wg", { ...v4, isForeign: true });
    assert.deepEqual(planText(want([]), known).slice(0, 2), [
      "ip link del flannel-wg",
      "ip link add flannel-wg up mtu 1420 type wireguard",
    ]);
  });

  test("without anybody who speaks it there are none, but for a while what stood stays whole", () => {
    const config = { backend: { ...VXLAN } };
    const snapshot = {
      lease: { node: "own", podCidrs: { 4: parseCidr("10.42.0.0/24") }, macs: {} },
      said: {},
      peers: [],
      members: [],
    };
    const stood = want([b]);
    const tunnels = (lingering: Ground["lingering"]) =>
      desiredTunnels(
        { snapshot, ground: { ...GROUND, lingering, tunnels: stood }, config: { ...CONFIG, ...config } },
        { ways: [] },
      );
    assert.deepEqual(planText(tunnels(new Set(["wireguard"])), stood), []);
    assert.deepEqual(planText(tunnels(new Set()), stood), [
      "ip link del flannel-wg",
      "ip link del flannel-wg-v6",
    ]);
  });

  test("a machine that has two Nodes has the subnets of both", () => {
    const renamed = { ...b, name: "b2", number: 3, host: 11 };
    const { allowedIps } = want([b, renamed]).get("flannel-wg")?.peers.get(B) ?? {};
    assert.deepEqual(allowedIps, ["10.42.1.0/24", "10.42.3.0/24"]);
  });

  test("a node that shows our own key is no peer", () => {
    assert.deepEqual(planText(want([{ ...b, publicKey: OWN }]), want([])), []);
  });
});

describe("where a peer is sent to", () => {
  const elsewhere = { ip: parseIp("198.51.100.7"), port: 4711 };
  const wanted = want([b]);
  const [line] = BOBS_LINES;
  const reset = line.slice(0, line.indexOf(" persistent"));

  test("one that is heard is where it is heard from", () => {
    assert.deepEqual(planText(wanted, heard(wanted, B, { endpoint: elsewhere, isHeard: true })), []);
  });

  test("one that is silent is where its Node says", () => {
    assert.deepEqual(planText(wanted, heard(wanted, B, { endpoint: elsewhere, isHeard: false })), [reset]);
  });

  test("one whose Node says something new is there, heard or not", () => {
    const ground = { endpoints: wantedEndpoints(want([{ ...b, host: 99 }])) };
    const moved = want([b], { ground });
    const known = heard(wanted, B, { endpoint: elsewhere, isHeard: true });
    assert.deepEqual(planText(moved, known), [reset]);
  });

  test("one that has never answered is called on, whatever the keepalive", () => {
    const backend = { ...WIREGUARD, keepaliveSeconds: 0 };
    const keepalive = (answered: Ground["answered"]) =>
      want([b], { backend, ground: { answered } }).get("flannel-wg")?.peers.get(B)?.keepaliveSeconds;
    assert.equal(keepalive(new Set()), 25);
    assert.equal(keepalive(new Set([B])), 0);
  });

  test("one has answered when it has on every device that has it", () => {
    const once = heard(wanted, B, { lastHandshakeMs: 1 });
    assert.deepEqual([...answeredPeers(once)], []);
    const [v4] = once.values();
    assert.ok(v4);
    assert.deepEqual([...answeredPeers(new Map([["flannel-wg", v4]]))], [B]);
  });

  const public4 = { publicKey: B, publicIp: parseIp("198.51.100.7") };
  const private4 = { publicKey: B, publicIp: parseIp("192.168.7.7") };
  const public6 = { publicKey: B, publicIp: parseIp("2001:db8::7") };
  const private6 = { publicKey: B, publicIp: parseIp("fd00::7") };
  const both = { 4: underlay("192.0.2.10"), 6: underlay("2001:db8::10") };
  for (const { mode = "auto", ends, underlays = both, expected, why } of [
    { why: "the only one there is", ends: { 6: private6 }, expected: private6 },
    { why: "IPv4 where that is wanted", mode: "ipv4", ends: { 4: private4, 6: public6 }, expected: private4 },
    { why: "IPv6 where that is wanted", mode: "ipv6", ends: { 4: public4, 6: private6 }, expected: private6 },
    { why: "a public IPv4 address first", ends: { 4: public4, 6: public6 }, expected: public4 },
    {
      why: "a public IPv6 address over a private IPv4 one",
      ends: { 4: private4, 6: public6 },
      expected: public6,
    },
    {
      why: "not IPv6 from a private address",
      ends: { 4: private4, 6: public6 },
      underlays: { 4: underlay("192.168.7.1"), 6: underlay("fd00::1") },
      expected: private4,
    },
    { why: "private IPv4 where both are private", ends: { 4: private4, 6: private6 }, expected: private4 },
    {
      why: "public IPv6 where this node has no IPv4",
      ends: { 4: public4, 6: public6 },
      underlays: { 6: underlay("2001:db8::10") },
      expected: public6,
    },
  ] as const)
    test(`one device for both families sends to ${why}`, () => {
      assert.deepEqual(chooseEnd(mode, ends, { underlays }), expected);
    });
});

describe("WireGuard in the kernel", () => {
  test("what is wanted is what then stands, through joins, new keys, swapped subnets and leaving", () => {
    const kernel = openFakeKernel();
    const observe = () => observeTunnels(kernel, { nowMs: 1_000_000 });
    for (const nodes of [
      [],
      [b],
      [b, c],
      [b, { ...c, number: 1 }].slice(1),
      [
        { ...b, number: 2 },
        { ...c, number: 1 },
      ],
      [],
    ]) {
      const wanted = want(nodes);
      const known = observe();
      const world = new TunnelWorld(kernel, known, OWN_KEY);
      for (const op of [...planTunnels(wanted, known), ...planTunnelEnds(wanted, known)]) world.apply(op);
      assert.deepEqual(planText(wanted, world.tunnels), []);
      assert.deepEqual(planText(wanted, observe()), []);
      assert.deepEqual([...observe().keys()], ["flannel-wg", "flannel-wg-v6"]);
    }
    const world = new TunnelWorld(kernel, observe(), OWN_KEY);
    for (const op of planTunnelEnds(new Map(), observe())) world.apply(op);
    assert.equal(observe().size, 0);
  });

  test("a handshake counts as long as the session lives", () => {
    const kernel = openFakeKernel();
    const world = new TunnelWorld(kernel, new Map(), OWN_KEY);
    for (const op of planTunnels(want([b]), new Map())) world.apply(op);
    const peerAt = (nowMs: number) => observeTunnels(kernel, { nowMs }).get("flannel-wg")?.peers.get(B);
    assert.equal(peerAt(1_000_000)?.isHeard, false);
    kernel.wireguard.hear("flannel-wg", B, 1_000_000);
    assert.deepEqual(
      [peerAt(1_179_999), peerAt(1_180_000)].map((peer) => [peer?.isHeard, peer?.lastHandshakeMs]),
      [
        [true, 1_000_000],
        [false, 1_000_000],
      ],
    );
  });

  test("a port that is somebody else's is told with what to do", () => {
    const kernel = openFakeKernel();
    kernel.wireguard.start("wg0");
    kernel.wireguard.configure("wg0", { listenPort: 51_820 });
    const world = new TunnelWorld(kernel, new Map(), OWN_KEY);
    assert.throws(
      () => {
        for (const op of planTunnels(want([]), new Map())) world.apply(op);
      },
      { code: "PortTaken", message: /UDP port 51820; stop that one or, on all nodes, .*ListenPort/ },
    );
  });
});
