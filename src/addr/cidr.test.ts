import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cidrSize,
  containsCidr,
  containsIp,
  hostCidr,
  nthIp,
  nthSubnet,
  overlaps,
  parseCidr,
  parseIpPrefix,
} from "./cidr.ts";
import { parseIp } from "./ip.ts";

/** The same case in both families. */
const pairs = [
  {
    cidr: "10.42.0.0/16",
    inside: "10.42.255.255",
    outside: "10.43.0.0",
    third: "10.42.3.0/24",
    mask: 24,
    tenth: "10.42.0.10",
  },
  {
    cidr: "2001:db8:42::/56",
    inside: "2001:db8:42:ff::1",
    outside: "2001:db8:42:100::",
    third: "2001:db8:42:3::/64",
    mask: 64,
    tenth: "2001:db8:42::a",
  },
] as const;

for (const each of pairs) {
  test(`${each.cidr}: contains, numbers and divides`, () => {
    const cidr = parseCidr(each.cidr);
    assert.equal(containsIp(cidr, parseIp(each.inside)), true);
    assert.equal(containsIp(cidr, parseIp(each.outside)), false);
    assert.equal(nthSubnet(cidr, each.mask, 3), each.third);
    assert.equal(nthIp(cidr, 10), each.tenth);
    assert.equal(containsCidr(cidr, parseCidr(each.third)), true);
    assert.equal(containsCidr(parseCidr(each.third), cidr), false);
    assert.throws(() => nthIp(cidr, cidrSize(cidr)), RangeError);
  });
}

test("families never contain or overlap each other", () => {
  assert.equal(overlaps(parseCidr("0.0.0.0/0"), parseCidr("::/0")), false);
  assert.equal(overlaps(parseCidr("10.0.0.0/8"), parseCidr("10.42.0.0/16")), true);
  assert.equal(hostCidr(parseIp("::1")), "::1/128");
});

const refused: readonly (readonly [text: string, says: RegExp])[] = [
  ["10.42.0.1/16", /host bits are set; the network is 10.42.0.0\/16/],
  ["10.42.0.0/33", /at most 32/],
  ["2001:db8::/129", /at most 128/],
  ["10.42.0.0", /expected a network/],
  ["10.42.0.0/", /expected a network/],
  ["10.42.0.0/016", /expected a network/],
  ["x/8", /expected a network/],
];

for (const [text, says] of refused) {
  test(`${text} is refused`, () => assert.throws(() => parseCidr(text), says));
}

test("host bits can be cleared, or kept where an interface has them", () => {
  assert.equal(parseCidr("10.42.3.7/24", { hostBits: "clear" }), "10.42.3.0/24");
  assert.equal(parseIpPrefix("10.42.3.7/24"), "10.42.3.7/24");
});
