import assert from "node:assert/strict";
import { test } from "node:test";
import oracle from "ipaddr.js";
import {
  addToIp,
  familyOf,
  formatEndpoint,
  formatIp,
  ipFromBytes,
  ipToBytes,
  isIp,
  isLinkLocal,
  parseIp,
} from "./ip.ts";

const canonical: readonly (readonly [text: string, want: string])[] = [
  ["192.0.2.7", "192.0.2.7"],
  ["0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255"],
  ["2001:DB8::7", "2001:db8::7"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["::ffff:192.0.2.7", "::ffff:c000:207"],
];

for (const [text, want] of canonical) {
  test(`${text} is read as ${want}`, () => assert.equal(parseIp(text), want));
}

const refused = [
  "",
  "1.2.3",
  "1.2.3.4.5",
  "01.2.3.4",
  "256.1.1.1",
  "1.2.3.4 ",
  "::1%eth0",
  "1:2:3:4:5:6:7",
  "1::2::3",
  ":::",
  "12345::",
  "1:2:3:4:5:6:7:8:9",
  "::1.2.3.4:1",
  "fe80::g",
  "1.2.3.4::",
];

for (const text of refused) {
  test(`${JSON.stringify(text)} is refused, and the message quotes it`, () => {
    assert.throws(
      () => parseIp(text),
      (error: Error) => error.message.includes(JSON.stringify(text)),
    );
    assert.equal(isIp(text), false);
  });
}

test("bytes and text agree with another implementation for both families", () => {
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 16;
  };
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: round % 2 === 0 ? 4 : 16 }, () =>
      random() % 3 === 0 ? random() & 255 : 0,
    );
    const ip = ipFromBytes(bytes);
    assert.deepEqual(ipToBytes(ip), bytes, ip);
    assert.deepEqual(oracle.parse(ip).toByteArray(), [...bytes], ip);
    assert.equal(parseIp(ip), ip);
  }
});

test("arithmetic stays in the family and refuses to leave it", () => {
  assert.equal(addToIp(parseIp("10.42.0.255"), 1), "10.42.1.0");
  assert.equal(addToIp(parseIp("2001:db8::ffff"), 1n), "2001:db8::1:0");
  assert.throws(() => addToIp(parseIp("255.255.255.255"), 1), RangeError);
  assert.throws(() => formatIp(4, -1n), RangeError);
});

test("endpoints bracket IPv6 only", () => {
  assert.equal(formatEndpoint(parseIp("192.0.2.1"), 80), "192.0.2.1:80");
  assert.equal(formatEndpoint(parseIp("2001:db8::1"), 80), "[2001:db8::1]:80");
});

test("families and link-local addresses are told apart", () => {
  assert.equal(familyOf("::1"), 6);
  for (const [text, want] of [
    ["fe80::1", true],
    ["febf::1", true],
    ["fec0::1", false],
    ["169.254.1.1", true],
    ["10.0.0.1", false],
  ] as const) {
    assert.equal(isLinkLocal(parseIp(text)), want, text);
  }
});
