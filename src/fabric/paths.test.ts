import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { desiredFabric } from "./desired.ts";
import { kindsToStand, vxlanSettings } from "./kinds.ts";
import {
  type FabricBackend,
  type FabricConfig,
  type FabricKind,
  type FabricSnapshot,
  type Ground,
  HOST_GW,
  type Peer,
  VXLAN,
  WIREGUARD,
} from "./model.ts";
import { choosePaths } from "./paths.ts";
import { CONFIG, GROUND as PLAIN } from "./testing/one-family.ts";

const BACKENDS: Readonly<Record<FabricKind, FabricBackend>> = {
  vxlan: VXLAN,
  "host-gw": HOST_GW,
  wireguard: WIREGUARD,
};
const KINDS = ["vxlan", "host-gw", "wireguard"] as const;
const KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const GROUND: Ground = { ...PLAIN, answered: new Set([KEY]) };

function config(kind: FabricKind, more: Partial<FabricConfig> = {}): FabricConfig {
  return { ...CONFIG, backend: BACKENDS[kind], ...more };
}

function peer(
  primary: FabricKind,
  offered: readonly FabricKind[],
  { ip = "192.0.2.11", runs = "twill" as Peer["runs"] } = {},
): Peer {
  const publicIp = parseIp(ip);
  return {
    node: "b",
    family: 4,
    podCidr: parseCidr("10.42.1.0/24"),
    runs,
    primary,
    ends: {
      ...(offered.includes("vxlan") && { vxlan: { publicIp, vni: 1, mac: parseMac("02:00:00:00:01:04") } }),
      ...(offered.includes("host-gw") && { "host-gw": { publicIp } }),
      ...(offered.includes("wireguard") && { wireguard: { publicIp, publicKey: KEY, port: 51_820 } }),
    },
  };
}

function snapshot(...peers: readonly Peer[]): FabricSnapshot {
  return {
    lease: { node: "own", podCidrs: { 4: parseCidr("10.42.0.0/24") }, macs: {} },
    said: {},
    peers,
    members: [],
  };
}

function choose(own: FabricKind, peers: readonly Peer[], ground = GROUND) {
  const { paths, ways, unreachable } = choosePaths({
    snapshot: snapshot(...peers),
    ground,
    config: config(own),
  });
  return {
    path: paths.map(({ kind }) => kind).join(),
    ways: ways.map(({ kind }) => kind).join(),
    why: unreachable.map(({ why }) => why).join(),
  };
}

describe("the way to a peer", () => {
  const cases: readonly [own: FabricKind, peer: FabricKind, offered: readonly FabricKind[], path: string][] =
    [
      ["vxlan", "vxlan", ["vxlan"], "vxlan"],
      ["host-gw", "host-gw", ["host-gw"], "host-gw"],
      ["wireguard", "wireguard", ["wireguard"], "wireguard"],
      // Both have the same in mind, and all is ready.
      ["host-gw", "host-gw", ["wireguard", "vxlan", "host-gw"], "host-gw"],
      ["vxlan", "vxlan", ["wireguard", "vxlan", "host-gw"], "vxlan"],
      // They differ: the first that both have.
      ["vxlan", "host-gw", ["host-gw", "vxlan"], "vxlan"],
      ["host-gw", "vxlan", ["vxlan", "host-gw"], "vxlan"],
      ["vxlan", "wireguard", ["wireguard", "vxlan"], "wireguard"],
      ["wireguard", "vxlan", ["vxlan", "wireguard"], "wireguard"],
      // The peer is not ready for ours yet, or cannot.
      ["host-gw", "vxlan", ["vxlan"], "vxlan"],
      ["vxlan", "host-gw", ["host-gw"], "host-gw"],
      ["wireguard", "vxlan", ["vxlan"], "vxlan"],
    ];
  for (const [own, primary, offered, path] of cases)
    test(`${own} to one of ${primary} with ${offered.join(" and ")} is ${path}`, () => {
      assert.equal(choose(own, [peer(primary, offered)]).path, path);
    });

  test("is the same from either side, whatever the two are set up with", () => {
    for (const a of KINDS)
      for (const b of KINDS) {
        const offered = [...new Set([a, b])];
        assert.equal(choose(a, [peer(b, offered)]).path, choose(b, [peer(a, offered)]).path, `${a}, ${b}`);
      }
  });

  test("is WireGuard's once the peer has answered; until then it is prepared, and packets go as before", () => {
    const silent = { ...GROUND, answered: new Set<string>() };
    const both = peer("wireguard", ["wireguard", "vxlan"]);
    assert.deepEqual(choose("vxlan", [both], silent), { path: "vxlan", ways: "wireguard,vxlan", why: "" });
    assert.equal(choose("vxlan", [both]).path, "wireguard");
    assert.equal(choose("wireguard", [peer("wireguard", ["wireguard"])], silent).path, "wireguard");
  });

  test("is none where host-gw has a router in between, and why is said", () => {
    for (const ip of ["198.51.100.1", "192.0.2.129"]) {
      const far = peer("host-gw", ["host-gw"], { ip });
      const { path, why } = choose("host-gw", [far]);
      assert.equal(path, "");
      assert.match(
        why,
        new RegExp(`^${ip} is not on a network of eth0 \\(192\\.0\\.2\\.0/24\\), as host-gw needs`),
      );
      assert.equal(
        choose("host-gw", [
          { ...far, ends: { ...far.ends, ...peer("vxlan", ["vxlan"], { ip }).ends } },
          peer("vxlan", ["vxlan"]),
        ]).path,
        "vxlan,vxlan",
      );
    }
  });

  test("is none to what this machine cannot do, and why is said", () => {
    const ground = { ...GROUND, unable: new Map([["wireguard", "no module"]] as const) };
    const { path, why } = choose("vxlan", [peer("wireguard", ["wireguard"], { runs: "flannel" })], ground);
    assert.deepEqual([path, why], ["", "it speaks wireguard, which this node does not: no module"]);
    assert.equal(choose("vxlan", [peer("wireguard", ["wireguard", "vxlan"])], ground).path, "vxlan");
  });

  test("is a plain route with DirectRouting where the peer is a neighbour, and the tunnel where not", () => {
    const direct = config("vxlan", { backend: { ...VXLAN, directRouting: true } });
    const far = { ...peer("vxlan", ["vxlan"], { ip: "198.51.100.1" }), podCidr: parseCidr("10.42.2.0/24") };
    const near = peer("vxlan", ["vxlan", "host-gw"]);
    const { routes, fdb } = desiredFabric(snapshot(near, far), GROUND, direct);
    assert.deepEqual(
      [...routes],
      [
        ["10.42.1.0/24", { device: "eth0", via: "192.0.2.11", onlink: false }],
        ["10.42.2.0/24", { device: "flannel.1", via: "10.42.2.0", onlink: true }],
      ],
    );
    assert.deepEqual(
      [...fdb.values()].map(({ vtep }) => vtep),
      ["198.51.100.1"],
    );
    const wayTo = (other: Peer) =>
      [...desiredFabric(snapshot(other), GROUND, direct).routes.values()].map(({ device }) => device).join();
    assert.equal(wayTo(peer("vxlan", ["vxlan"])), "flannel.1");
    assert.equal(wayTo(peer("vxlan", ["vxlan"], { runs: "flannel" })), "eth0");
  });
});

describe("what stands on a node", () => {
  const standing = (own: FabricKind, peers: readonly Peer[], ground: Partial<Ground> = {}) =>
    [
      ...kindsToStand({
        snapshot: snapshot(...peers),
        ground: { ...GROUND, ...ground },
        config: config(own),
      }),
    ].join();

  test("is its own backend, those of its peers, and what lingers", () => {
    assert.equal(standing("vxlan", []), "vxlan");
    assert.equal(standing("vxlan", [peer("host-gw", ["host-gw"])]), "vxlan,host-gw");
    assert.equal(standing("host-gw", [], { lingering: new Set(["vxlan"]) }), "host-gw,vxlan");
    assert.equal(
      standing("host-gw", [peer("wireguard", ["wireguard"])], {
        unable: new Map([["wireguard", "no module"]]),
      }),
      "host-gw",
    );
  });

  test("is VXLAN as the peers have it, where the node itself has another backend", () => {
    const [b] = [peer("vxlan", ["vxlan"])];
    const end = { vni: 7, port: 4789, mac: parseMac("02:00:00:00:01:04"), publicIp: parseIp("192.0.2.11") };
    const numbered = { ...b, ends: { vxlan: end } } as Peer;
    assert.deepEqual(vxlanSettings(config("host-gw"), [numbered]), { ...VXLAN, vni: 7, port: 4789 });
    assert.equal(vxlanSettings(config("vxlan"), [numbered]), VXLAN);
    const { vteps, program } = desiredFabric(snapshot(numbered), GROUND, config("host-gw"));
    assert.deepEqual([vteps[4]?.vni, vteps[4]?.port, program?.input?.ports], [7, 4789, [4789]]);
  });

  test("is not host-gw with an address that is not the link's, and that is said", () => {
    const translated = config("host-gw", { publicIps: [parseIp("203.0.113.5")] });
    assert.throws(
      () => desiredFabric(snapshot(), GROUND, translated),
      /Cannot run the backend host-gw: peers are told 203\.0\.113\.5, which is not the address of eth0 \(192\.0\.2\.10\)/,
    );
    const input = { snapshot: snapshot(peer("host-gw", ["host-gw"])), ground: GROUND };
    const others = config("vxlan", { publicIps: [parseIp("203.0.113.5")] });
    assert.deepEqual([...kindsToStand({ ...input, config: others })], ["vxlan"]);
  });
});

describe("reverse path filtering", () => {
  const settings = (own: FabricKind, peers: readonly Peer[], reversePath: Ground["reversePath"]) =>
    [...desiredFabric(snapshot(...peers), { ...GROUND, reversePath }, config(own)).sysctls].filter(([name]) =>
      name.endsWith("rp_filter"),
    );
  const strict = { strict: new Set(["eth0", "flannel.1"]), loosened: new Map() };
  const loosened = { strict: new Set<string>(), loosened: new Map([["eth0", "1"]]) };
  const other = peer("host-gw", ["host-gw", "vxlan"]);
  const loose = (...devices: readonly string[]) =>
    devices.map((device) => [`net/ipv4/conf/${device}/rp_filter`, "2"]);

  test("is loose on tunnels, and on the link while plain routes and tunnels are mixed", () => {
    assert.deepEqual(settings("vxlan", [], strict), loose("flannel.1"));
    assert.deepEqual(settings("vxlan", [other], strict), loose("eth0", "flannel.1"));
    assert.deepEqual(settings("host-gw", [], { ...strict, strict: new Set(["eth0"]) }), []);
  });

  test("is on the link as it was once they are mixed no more", () => {
    assert.deepEqual(settings("vxlan", [other], loosened), []);
    assert.deepEqual(settings("host-gw", [], loosened), [["net/ipv4/conf/eth0/rp_filter", "1"]]);
  });
});
