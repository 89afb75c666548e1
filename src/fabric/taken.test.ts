import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { FABRIC_ENDS_KEY, type FabricEnds, formatFabricEnds } from "#wire/fabric-ends";
import { formatFlannelNode } from "#wire/flannel-annotations";
import { desiredFabric } from "./desired.ts";
import { type FabricConfig, type Lease, type NodeView, type Peer, PLAIN_GROUND, VXLAN } from "./model.ts";
import { readPeers } from "./peers.ts";

const CLUSTER = [parseCidr("10.42.0.0/16")];
const OWN_IP = parseIp("192.0.2.10");
const KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const LEASE: Lease = {
  node: "own",
  podCidrs: { 4: parseCidr("10.42.0.0/24") },
  macs: { 4: parseMac("02:00:00:00:00:04") },
};

interface Shape {
  readonly name: string;
  readonly subnet: number;
  readonly host: number;
  readonly mac: number;
}

function flannelNode({ name, subnet, host, mac }: Shape): NodeView {
  const publicIp = parseIp(`192.0.2.${host}`);
  return {
    name,
    podCidrs: [`10.42.${subnet}.0/24`],
    annotations: formatFlannelNode({
      kind: "vxlan",
      ends: { 4: { vni: 1, mac: parseMac(`02:00:00:00:0${mac}:04`), publicIp } },
    }),
    addresses: [publicIp],
  };
}

function twillNode(
  shape: Shape,
  more: Partial<FabricEnds["ends"]> = {},
  primary: FabricEnds["primary"] = "vxlan",
) {
  const view = flannelNode(shape);
  const vxlan = {
    4: { vni: 1, mac: parseMac(`02:00:00:00:0${shape.mac}:04`), publicIp: parseIp(`192.0.2.${shape.host}`) },
  };
  const ends = formatFabricEnds({ primary, ends: { vxlan, ...more } }, view.annotations);
  return { ...view, annotations: { ...view.annotations, [FABRIC_ENDS_KEY]: ends } };
}

const read = (views: readonly NodeView[], before: readonly Peer[] = [], vni: number | undefined = 1) =>
  readPeers(views, { lease: LEASE, clusterCidrs: CLUSTER, vni, ownIps: new Set([OWN_IP]), before });
const names = (views: readonly NodeView[]) => read(views).peers.map(({ node }) => node);

const old = { name: "b", subnet: 1, host: 11, mac: 1 };

describe("a node", () => {
  test("that got another name is there by both, for packets to either go to one machine", () => {
    const renamed = { ...old, name: "b2", subnet: 2 };
    const { peers, refusals } = read([flannelNode(old), flannelNode(renamed)]);
    assert.deepEqual(refusals, []);
    const { routes, fdb, neighbors } = stateOf(peers);
    assert.deepEqual([...routes.keys()], ["10.42.1.0/24", "10.42.2.0/24"]);
    assert.deepEqual(
      [...fdb.values()].map(({ mac, vtep }) => [mac, vtep]),
      [["02:00:00:00:01:04", "192.0.2.11"]],
    );
    assert.equal(neighbors.size, 2);
    assert.deepEqual([...stateOf(read([flannelNode(renamed)]).peers).routes.keys()], ["10.42.2.0/24"]);
  });

  test("of another name with the same subnet has it when the old Node is gone, and not before", () => {
    const successor = { name: "z", subnet: 1, host: 12, mac: 2 };
    for (const pair of [
      [flannelNode(old), flannelNode(successor)],
      [flannelNode(successor), flannelNode(old)],
    ]) {
      const { peers, refusals } = read(pair);
      assert.deepEqual(
        peers.map(({ node }) => node),
        ["b"],
      );
      assert.deepEqual(
        refusals.map(({ node, problem }) => [node, problem]),
        [["z", "the subnet is node b's"]],
      );
      assert.deepEqual(
        read([flannelNode(successor)], peers).peers.map(({ node }) => node),
        ["z"],
      );
    }
  });

  test("that was deleted and comes back with another subnet is another one", () => {
    const { peers } = read([flannelNode(old)]);
    assert.deepEqual(read([], peers).peers, []);
    const back = read([flannelNode({ ...old, subnet: 5, mac: 6 })], peers);
    assert.deepEqual(
      back.peers.map(({ podCidr, ends }) => [podCidr, ends.vxlan?.mac]),
      [["10.42.5.0/24", "02:00:00:00:06:04"]],
    );
  });

  test("with the MAC of one at another address is refused by name", () => {
    const { peers, refusals } = read([
      flannelNode(old),
      flannelNode({ name: "c", subnet: 2, host: 12, mac: 1 }),
    ]);
    assert.deepEqual(
      peers.map(({ node }) => node),
      ["b"],
    );
    assert.deepEqual(
      refusals.map(({ node, problem }) => [node, problem]),
      [["c", "VtepMAC is node b's"]],
    );
  });

  test("with the key of one at another address keeps its other ends", () => {
    const wireguard = (host: number) => ({
      wireguard: { 4: { publicIp: parseIp(`192.0.2.${host}`), publicKey: KEY, port: 51_820 } },
    });
    const { peers, refusals } = read([
      twillNode(old, wireguard(11)),
      twillNode({ name: "c", subnet: 2, host: 12, mac: 2 }, wireguard(12)),
    ]);
    assert.deepEqual(
      peers.map(({ node, ends }) => [node, Object.keys(ends)]),
      [
        ["b", ["vxlan", "wireguard"]],
        ["c", ["vxlan"]],
      ],
    );
    assert.deepEqual(
      refusals.map(({ problem }) => problem),
      ["PublicKey is node b's"],
    );
  });

  test("with the key of one at another port, or of another family, keeps its other ends", () => {
    const end = { publicIp: parseIp("192.0.2.11"), publicKey: KEY, port: 51_820 };
    const v6 = { ...end, publicIp: parseIp("2001:db8::12") };
    for (const theirs of [{ 4: { ...end, port: 51_821 } }, { 6: v6 }]) {
      const thief = twillNode({ name: "z", subnet: 2, host: 11, mac: 2 }, { wireguard: theirs });
      const podCidrs = ["10.42.2.0/24", "fd42:0:0:2::/64"];
      const { peers, refusals } = readPeers(
        [twillNode(old, { wireguard: { 4: end } }), { ...thief, podCidrs }],
        {
          lease: { ...LEASE, podCidrs: { ...LEASE.podCidrs, 6: parseCidr("fd42::/64") } },
          clusterCidrs: [...CLUSTER, parseCidr("fd42::/56")],
          vni: 1,
          ownIps: new Set(),
          before: [],
        },
      );
      assert.deepEqual(
        peers.flatMap(({ node, ends }) => (ends.wireguard ? [node] : [])),
        ["b"],
      );
      assert.deepEqual(
        refusals.map(({ node, problem }) => [node, problem]),
        [["z", "PublicKey is node b's"]],
      );
    }
  });

  test("with our own key, as of a disk that was copied, keeps its other ends", () => {
    const wireguard = { 4: { publicIp: parseIp("192.0.2.11"), publicKey: KEY, port: 51_820 } };
    const views = [twillNode(old, { wireguard })];
    const lease = { ...LEASE, publicKey: KEY };
    const { peers, refusals } = readPeers(views, {
      lease,
      clusterCidrs: CLUSTER,
      vni: 1,
      ownIps: new Set(),
      before: [],
    });
    assert.deepEqual(
      peers.map(({ ends }) => Object.keys(ends)),
      [["vxlan"]],
    );
    assert.deepEqual(
      refusals.map(({ problem }) => problem),
      ["PublicKey is node own's"],
    );
  });

  test("that says it is at our own address is refused: packets would come back to us", () => {
    const { peers, refusals } = read([flannelNode({ ...old, host: 10 })]);
    assert.deepEqual(peers, []);
    assert.deepEqual(
      refusals.map(({ problem }) => problem),
      ["the address is this node's own"],
    );
  });

  test("is one of flannel's again when flannel has written other words than ours since", () => {
    const ours = twillNode(old, { "host-gw": { 4: { publicIp: parseIp("192.0.2.11") } } }, "host-gw");
    assert.deepEqual(
      read([ours]).peers.map(({ runs, primary, ends }) => [runs, primary, Object.keys(ends)]),
      [["twill", "host-gw", ["vxlan", "host-gw"]]],
    );
    const theirs = {
      ...ours,
      annotations: { ...ours.annotations, ...flannelNode({ ...old, mac: 7 }).annotations },
    };
    assert.deepEqual(
      read([theirs]).peers.map(({ runs, primary, ends }) => [runs, primary, Object.keys(ends)]),
      [["flannel", "vxlan", ["vxlan"]]],
    );
  });

  test("that starts to write nonsense about its ends keeps those that worked", () => {
    const { peers } = read([twillNode(old)]);
    const sound = twillNode(old);
    const garbled = { ...sound, annotations: { ...sound.annotations, [FABRIC_ENDS_KEY]: "{" } };
    const after = read([garbled], peers);
    assert.deepEqual(after.peers, peers);
    assert.equal(after.refusals.length, 1);
    assert.deepEqual(
      read([garbled]).peers.map(({ runs }) => runs),
      ["flannel"],
    );
  });

  test("that is set up with VXLAN decides its number where this node is not", () => {
    const numbered = (name: string, subnet: number, vni: number): NodeView => ({
      ...flannelNode({ name, subnet, host: 10 + subnet, mac: subnet }),
      annotations: formatFlannelNode({
        kind: "vxlan",
        ends: {
          4: { vni, mac: parseMac(`02:00:00:00:0${subnet}:04`), publicIp: parseIp(`192.0.2.1${subnet}`) },
        },
      }),
    });
    const views = [numbered("b", 1, 7), numbered("c", 2, 7), numbered("d", 3, 8)];
    const reading = readPeers(views, {
      lease: LEASE,
      clusterCidrs: CLUSTER,
      vni: undefined,
      ownIps: new Set(),
      before: [],
    });
    assert.deepEqual(
      reading.peers.map(({ node }) => node),
      ["b", "c"],
    );
    assert.match(reading.refusals[0]?.problem ?? "", /VNI 8 is not the cluster's 7/);
    assert.deepEqual(names(views), []);
  });
});

function stateOf(peers: readonly Peer[]) {
  const config: FabricConfig = {
    clusterCidrs: CLUSTER,
    nodeIps: [OWN_IP],
    backend: VXLAN,
    guard: true,
    masquerade: {},
    subnetFile: "/run/flannel/subnet.env",
  };
  const underlay = { index: 2, name: "eth0", mtuBytes: 1500, local: OWN_IP, connected: [], routed: [] };
  const ground = { ...PLAIN_GROUND, underlays: { 4: underlay }, macs: {}, canFilterBridged: false };
  return desiredFabric({ lease: LEASE, said: {}, peers, members: [] }, ground, config);
}
