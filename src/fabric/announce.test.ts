import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { readFabricEnds } from "#wire/fabric-ends";
import { announcement, flannelKind } from "./announce.ts";
import { desiredFabric } from "./desired.ts";
import {
  type FabricConfig,
  type FabricKind,
  type FabricSnapshot,
  NOTHING,
  type Peer,
  VXLAN,
} from "./model.ts";
import { choosePaths } from "./paths.ts";
import { CONFIG, GROUND, LOCAL } from "./testing/one-family.ts";

const P = "flannel.alpha.coreos.com/";
function peer(number: number, runs: Peer["runs"], primary: FabricKind): Peer {
  const publicIp = parseIp(`192.0.2.1${number}`);
  const vxlan = { publicIp, vni: 1, mac: parseMac(`02:00:00:00:0${number}:04`) };
  return {
    node: `n${number}`,
    family: 4,
    podCidr: parseCidr(`10.42.${number}.0/24`),
    runs,
    primary,
    ends: {
      ...(primary === "vxlan" && { vxlan }),
      ...(primary === "host-gw" && { "host-gw": { publicIp } }),
    },
  };
}

function said(config: FabricConfig, peers: readonly Peer[], ground = GROUND) {
  const snapshot: FabricSnapshot = {
    lease: { node: "own", podCidrs: { 4: parseCidr("10.42.0.0/24") }, macs: {} },
    said: {},
    peers,
    members: [],
  };
  const choice = choosePaths({ snapshot, ground, config });
  const state = desiredFabric(snapshot, ground, config, choice);
  return announcement({ snapshot, ground, choice, state }, config);
}

function own(annotations: Readonly<Record<string, string | null>> = {}) {
  const texts = Object.entries(annotations).flatMap(([key, text]) =>
    text === null ? [] : [[key, text] as const],
  );
  const reading = readFabricEnds(Object.fromEntries(texts));
  assert.ok(reading.kind === "good");
  const kinds = Object.entries(reading.said.ends).filter(([, ends]) => ends[4] !== undefined);
  return { primary: reading.said.primary, kinds: kinds.map(([kind]) => kind) };
}

describe("what a node tells", () => {
  test("is its backend to flannel, and all its ends to its like", () => {
    const alone = said(CONFIG, []);
    assert.deepEqual(alone?.annotations[`${P}backend-type`], "host-gw");
    assert.deepEqual(alone?.annotations[`${P}backend-data`], "null");
    assert.deepEqual(own(alone?.annotations), { primary: "host-gw", kinds: ["host-gw"] });
    const mixed = said(CONFIG, [peer(1, "twill", "vxlan")]);
    assert.deepEqual(mixed?.annotations[`${P}backend-type`], "host-gw");
    assert.deepEqual(own(mixed?.annotations), { primary: "host-gw", kinds: ["vxlan", "host-gw"] });
  });

  test("is what flannel's nodes speak, while there are some of another backend", () => {
    const mixed = said(CONFIG, [peer(1, "flannel", "vxlan")]);
    assert.deepEqual(mixed?.annotations[`${P}backend-type`], "vxlan");
    assert.deepEqual(mixed?.annotations[`${P}backend-data`], '{"VNI":1,"VtepMAC":"02:00:00:00:00:04"}');
    assert.deepEqual(own(mixed?.annotations), { primary: "host-gw", kinds: ["vxlan", "host-gw"] });
  });

  test("is not what lingers: nobody is to begin with it", () => {
    const after = said(CONFIG, [], { ...GROUND, lingering: new Set(["vxlan"]) });
    assert.deepEqual(own(after?.annotations), { primary: "host-gw", kinds: ["host-gw"] });
  });

  test("is nothing until its own backend stands", () => {
    const snapshot = {
      lease: { node: "own", podCidrs: { 4: parseCidr("10.42.0.0/24") }, macs: {} },
      said: {},
      peers: [],
      members: [],
    };
    const choice = { paths: [], ways: [], unreachable: [] };
    assert.equal(
      announcement({ snapshot, ground: GROUND, choice, state: NOTHING }, { ...CONFIG, backend: VXLAN }),
      undefined,
    );
  });

  test("is an external address, on the Node as K3s writes it, and takes it back with the flag", () => {
    const external = parseIp("203.0.113.9");
    const overwrites = (config: FabricConfig) => {
      const { annotations = {} } = said({ ...config, backend: VXLAN }, []) ?? {};
      return ["public-ip", "public-ip-overwrite", "public-ipv6-overwrite"].map((key) => annotations[P + key]);
    };
    assert.deepEqual(overwrites({ ...CONFIG, publicIps: [external] }), [external, external, null]);
    assert.deepEqual(overwrites({ ...CONFIG, publicIps: [] }), [LOCAL, null, null]);
    // Where K3s has no say, what somebody has written on the Node is theirs.
    assert.deepEqual(overwrites(CONFIG), [LOCAL, undefined, undefined]);
    assert.deepEqual(overwrites({ ...CONFIG, flagPublicIps: [external] }), [external, undefined, undefined]);
  });

  test("is who masquerades, so that plugins know", () => {
    assert.match(said(CONFIG, [])?.subnetFile ?? "", /FLANNEL_IPMASQ=false/);
    assert.match(
      said({ ...CONFIG, masquerade: { 4: "plain" } }, [])?.subnetFile ?? "",
      /FLANNEL_IPMASQ=true/,
    );
  });

  test("is the MTU that fits through everything that stands", () => {
    assert.equal(said(CONFIG, [])?.ready.mtuBytes, 1500);
    assert.equal(said(CONFIG, [peer(1, "twill", "vxlan")])?.ready.mtuBytes, 1450);
    assert.equal(said(CONFIG, [], { ...GROUND, lingering: new Set(["vxlan"]) })?.ready.mtuBytes, 1450);
    assert.match(said(CONFIG, [])?.subnetFile ?? "", /FLANNEL_MTU=1500/);
  });
});

test("flannel hears what most of its nodes speak, and of two equal choices ours", () => {
  const flannel = (kinds: readonly FabricKind[]) => kinds.map((kind, i) => peer(i + 1, "flannel", kind));
  assert.equal(flannelKind("host-gw", []), "host-gw");
  assert.equal(flannelKind("host-gw", [peer(1, "twill", "vxlan")]), "host-gw");
  assert.equal(flannelKind("host-gw", flannel(["vxlan"])), "vxlan");
  assert.equal(flannelKind("host-gw", flannel(["vxlan", "host-gw"])), "host-gw");
  assert.equal(flannelKind("host-gw", flannel(["vxlan", "vxlan", "host-gw"])), "vxlan");
  assert.equal(flannelKind("vxlan", flannel(["wireguard", "host-gw"])), "wireguard");
});
