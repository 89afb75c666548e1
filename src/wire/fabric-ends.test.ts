import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { FABRIC_ENDS_KEY, type FabricEnds, formatFabricEnds, readFabricEnds } from "./fabric-ends.ts";
import { type Annotations, formatFlannelNode } from "./flannel-annotations.ts";

const KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
const SAID: FabricEnds = {
  primary: "wireguard",
  ends: {
    vxlan: {
      4: { publicIp: parseIp("192.0.2.11"), vni: 1, mac: parseMac("02:00:00:00:01:04"), port: 8472 },
      6: { publicIp: parseIp("2001:db8::11"), vni: 1, mac: parseMac("02:00:00:00:01:06"), port: 8472 },
    },
    "host-gw": { 4: { publicIp: parseIp("192.0.2.11") }, 6: { publicIp: parseIp("2001:db8::11") } },
    wireguard: {
      4: { publicIp: parseIp("192.0.2.11"), publicKey: KEY, port: 51_820 },
      6: { publicIp: parseIp("2001:db8::11"), publicKey: KEY, port: 51_821 },
    },
  },
};
const FLANNEL = formatFlannelNode({
  kind: "vxlan",
  ends: { 4: { publicIp: parseIp("192.0.2.11"), vni: 1, mac: parseMac("02:00:00:00:01:04") } },
});
const written = (said: FabricEnds = SAID): Annotations => ({
  ...FLANNEL,
  [FABRIC_ENDS_KEY]: formatFabricEnds(said, FLANNEL),
});

describe("the word of our own on a Node", () => {
  test("is read as it was written, flannel's own words beside it", () => {
    assert.deepEqual(readFabricEnds(written()), { kind: "good", said: SAID, problems: [] });
    const one: FabricEnds = {
      primary: "host-gw",
      ends: { "host-gw": { 4: { publicIp: parseIp("192.0.2.1") } } },
    };
    assert.deepEqual(readFabricEnds(written(one)), {
      kind: "good",
      said: { primary: "host-gw", ends: { vxlan: {}, "host-gw": one.ends["host-gw"], wireguard: {} } },
      problems: [],
    });
  });

  test("says the same thing in the same bytes", () => {
    assert.equal(formatFabricEnds(SAID, FLANNEL), formatFabricEnds(structuredClone(SAID), { ...FLANNEL }));
    assert.ok(formatFabricEnds(SAID, FLANNEL).length < 1_500);
  });

  test("is absent where nobody wrote it", () => {
    assert.deepEqual(readFabricEnds(FLANNEL), { kind: "absent" });
  });

  for (const [key, value] of [
    ["backend-type", "host-gw"],
    ["backend-data", '{"VNI":1,"VtepMAC":"02:00:00:00:09:04"}'],
    ["public-ip", "192.0.2.99"],
    ["public-ipv6", "2001:db8::99"],
  ])
    test(`is of the past when flannel has written another ${key} since`, () => {
      const now = { ...written(), [`flannel.alpha.coreos.com/${key}`]: value };
      assert.deepEqual(readFabricEnds(now), { kind: "stale" });
    });

  const swap = (from: string, to: string) => formatFabricEnds(SAID, FLANNEL).replace(from, to);
  for (const [name, text, problem] of [
    ["no JSON", "{", /expected an object/],
    ["a list", "[]", /expected an object/],
    ["without ends", '{"primary":"vxlan"}', /expected an object/],
    ["of a backend nobody speaks", swap('"primary":"wireguard"', '"primary":"udp"'), /primary is none of/],
    [
      "of a backend that is an object's",
      swap('"primary":"wireguard"', '"primary":"constructor"'),
      /primary is none of/,
    ],
    ["too long", formatFabricEnds(SAID, FLANNEL).padEnd(4_097), /longer than 4096 bytes/],
  ] as const)
    test(`${name} is refused whole`, () => {
      const reading = readFabricEnds({ ...FLANNEL, [FABRIC_ENDS_KEY]: text });
      assert.ok(reading.kind === "bad");
      assert.match(reading.problem.problem, problem);
    });

  for (const [from, to, problem] of [
    [
      '"mac":"02:00:00:00:01:04"',
      '"mac":"03:00:00:00:01:04"',
      "vxlan over IPv4: 03:00:00:00:01:04 is not one device's address",
    ],
    ['"vni":1', '"vni":"1"', "vxlan over IPv4: VNI is not a number from 1 to 16777215"],
    ['"port":8472', '"port":53', "vxlan over IPv4: port is not a number from 1024 to 65535"],
    ['{"ip":"192.0.2.11"}', '{"ip":"2001:db8::1"}', "host-gw over IPv4: expected an ip address"],
    ['{"ip":"192.0.2.11"}', "{}", "host-gw over IPv4: ip is missing"],
    [`"publicKey":"${KEY}"`, '"publicKey":"x"', "wireguard over IPv4: PublicKey is not 32 bytes in base64"],
  ] as const)
    test(`an end with ${to} is left out, and the others hold`, () => {
      const reading = readFabricEnds({ ...FLANNEL, [FABRIC_ENDS_KEY]: swap(from, to) });
      assert.ok(reading.kind === "good");
      assert.deepEqual(
        reading.problems.map((each) => each.problem),
        [problem],
      );
      assert.deepEqual(reading.said.ends.vxlan?.[6], SAID.ends.vxlan?.[6]);
    });

  test("whatever stands there, nothing is thrown and nothing unsound comes out", () => {
    let seed = 20_261_122;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const whole = formatFabricEnds(SAID, FLANNEL);
    for (let round = 0; round < 5_000; round++) {
      const letters = [...whole];
      for (let i = 0; i <= random(6); i++)
        letters.splice(random(letters.length), random(3), String.fromCharCode(32 + random(96)));
      const reading = readFabricEnds({ ...FLANNEL, [FABRIC_ENDS_KEY]: letters.join("") });
      if (reading.kind !== "good") continue;
      for (const end of Object.values(reading.said.ends).flatMap((ends) => Object.values(ends)))
        assert.equal(parseIp(end.publicIp), end.publicIp, letters.join(""));
    }
  });
});
