import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import {
  type Annotations,
  formatFlannelNode,
  readFlannelNode,
  readPublicIpChoice,
} from "./flannel-annotations.ts";
import {
  formatVxlanData,
  formatWireguardData,
  parseVxlanData,
  parseWireguardData,
} from "./flannel-backend-data.ts";

const P = "flannel.alpha.coreos.com/";
const MAC = parseMac("12:c6:65:89:b4:e3");
const SOUND: Annotations = {
  [`${P}kube-subnet-manager`]: "true",
  [`${P}backend-type`]: "vxlan",
  [`${P}backend-data`]: '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}',
  [`${P}public-ip`]: "192.0.2.7",
};

test("vxlan data is written byte for byte as flannel writes it", () => {
  assert.equal(formatVxlanData({ vni: 1, mac: MAC }), '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}');
});

test("what is written is read back the same, in both families", () => {
  const ends = {
    4: { vni: 1, mac: MAC, publicIp: parseIp("192.0.2.7") },
    6: { vni: 1, mac: parseMac("2e:00:00:00:00:06"), publicIp: parseIp("2001:db8::7") },
  };
  const written = formatFlannelNode({ kind: "vxlan", ends });
  assert.deepEqual(Object.keys(written), [
    `${P}kube-subnet-manager`,
    `${P}backend-type`,
    `${P}backend-data`,
    `${P}public-ip`,
    `${P}backend-v6-data`,
    `${P}public-ipv6`,
  ]);
  assert.deepEqual(readFlannelNode(written), { kind: "vxlan", ends, problems: [] });
});

const kinds: readonly [name: string, annotations: Annotations, kind: string][] = [
  ["no annotations", {}, "unmanaged"],
  ["managed by something else", { ...SOUND, [`${P}kube-subnet-manager`]: "yes" }, "unmanaged"],
  ["a backend of flannel's that is not spoken", { ...SOUND, [`${P}backend-type`]: "udp" }, "other-backend"],
  ["host-gw, whatever its data", { ...SOUND, [`${P}backend-type`]: "host-gw" }, "host-gw"],
  ["sound", SOUND, "vxlan"],
];
for (const [name, annotations, kind] of kinds)
  test(`node with ${name} is ${kind}`, () => assert.equal(readFlannelNode(annotations).kind, kind));

const absent = ["null", "", "0.0.0.0", undefined];
for (const value of absent)
  test(`public-ip ${JSON.stringify(value)} means absent, and is no problem`, () => {
    const read = readFlannelNode({ ...SOUND, [`${P}public-ip`]: value });
    assert.deepEqual(read, { kind: "vxlan", ends: {}, problems: [] });
  });

const bad: readonly [key: string, value: string][] = [
  ["backend-data", "{"],
  ["backend-data", "[]"],
  ["backend-data", '{"VNI":0,"VtepMAC":"12:c6:65:89:b4:e3"}'],
  ["backend-data", '{"VNI":"1","VtepMAC":"12:c6:65:89:b4:e3"}'],
  ["backend-data", '{"VNI":1}'],
  ["backend-data", '{"VNI":1,"VtepMAC":"00:00:00:00:00:00"}'],
  ["backend-data", '{"VNI":1,"VtepMAC":"ff:ff:ff:ff:ff:ff"}'],
  ["backend-data", '{"VNI":1,"VtepMAC":"12:c6:65:89:b4"}'],
  ["public-ip", "192.0.2.7; reboot"],
  ["public-ip", "2001:db8::7"],
  ["public-ip", "127.0.0.1"],
  ["public-ip", "224.0.0.1"],
  ["public-ip", "255.255.255.255"],
];
for (const [key, value] of bad)
  test(`${key} ${value} is reported and left out`, () => {
    const read = readFlannelNode({ ...SOUND, [`${P}${key}`]: value });
    assert.ok(read.kind === "vxlan");
    assert.deepEqual(read.ends, {});
    assert.deepEqual(
      read.problems.map((problem) => [problem.key, problem.value]),
      [[`${P}${key}`, value]],
    );
  });

const KEY = "jZw2cIE1pGpT1Q2Y1jQ0m0yJ8wA4cF5n4yTn9oYp2mE=";

test("host-gw and wireguard are written as flannel writes them, and read back", () => {
  const publicIp = parseIp("192.0.2.7");
  const plain = formatFlannelNode({ kind: "host-gw", ends: { 4: { publicIp } } });
  assert.equal(plain[`${P}backend-data`], "null");
  assert.deepEqual(readFlannelNode(plain), { kind: "host-gw", ends: { 4: { publicIp } }, problems: [] });
  const ends = { 4: { publicKey: KEY, port: 51_820, publicIp } };
  const sealed = formatFlannelNode({ kind: "wireguard", ends });
  assert.equal(sealed[`${P}backend-data`], `{"PublicKey":"${KEY}","Port":51820}`);
  assert.deepEqual(readFlannelNode(sealed), { kind: "wireguard", ends, problems: [] });
});

test("a WireGuard port that is missing or 0 is the reader's own", () => {
  assert.deepEqual(parseWireguardData(`{"PublicKey":"${KEY}"}`), { publicKey: KEY });
  assert.deepEqual(parseWireguardData(`{"Port":0,"PublicKey":"${KEY}"}`), { publicKey: KEY });
  assert.equal(formatWireguardData({ publicKey: KEY }), `{"PublicKey":"${KEY}"}`);
});

const badWireguard: readonly string[] = [
  "{}",
  '{"PublicKey":"short="}',
  `{"PublicKey":"${KEY}","Port":65536}`,
  `{"PublicKey":"${KEY}","Port":"51820"}`,
  `{"PublicKey":"${KEY.slice(0, -2)}F="}`,
  `{"PublicKey":"${"A".repeat(43)}="}`,
  `{"PublicKey":"${KEY}\n"}`,
];
for (const text of badWireguard)
  test(`wireguard data ${text} is refused`, () => assert.throws(() => parseWireguardData(text)));

test("an operator's overwrite goes before node-public-ip", () => {
  const annotations = { [`${P}public-ip-overwrite`]: "203.0.113.1", [`${P}node-public-ip`]: "203.0.113.2" };
  assert.equal(readPublicIpChoice(annotations, 4), "203.0.113.1");
  assert.equal(readPublicIpChoice({ [`${P}node-public-ipv6`]: "2001:db8::2" }, 6), "2001:db8::2");
  assert.equal(readPublicIpChoice({}, 4), undefined);
});

test("no annotation whatever makes reading throw", () => {
  let seed = 7;
  const random = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % n;
  };
  const text = '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}';
  for (let i = 0; i < 2_000; i++) {
    const at = random(text.length);
    const garbled = text.slice(0, at) + String.fromCharCode(random(0x3000)) + text.slice(at + random(3));
    const read = readFlannelNode({ ...SOUND, [`${P}backend-data`]: garbled, [`${P}public-ip`]: garbled });
    assert.equal(read.kind, "vxlan", garbled);
  }
  assert.deepEqual(parseVxlanData(' {"VtepMAC": "12-C6-65-89-B4-E3", "VNI": 1, "More": {}} '), {
    vni: 1,
    mac: MAC,
  });
});
