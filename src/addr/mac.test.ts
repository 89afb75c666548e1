import assert from "node:assert/strict";
import { test } from "node:test";
import { localMac, macFromBytes, macToBytes, parseMac } from "./mac.ts";
import { isDnsLabel, isDnsSubdomain, namespacedName, splitNamespacedName } from "./name.ts";

test("MAC addresses are lower case with colons, from text and from bytes", () => {
  assert.equal(parseMac("12-C6-65-89-B4-E3"), "12:c6:65:89:b4:e3");
  assert.equal(macFromBytes(macToBytes(parseMac("00:0f:ff:01:02:03"))), "00:0f:ff:01:02:03");
  for (const text of [
    "12:c6:65:89:b4",
    "12:c6:65:89:b4:e3:01",
    "12:c6-65:89:b4:e3",
    "zz:c6:65:89:b4:e3",
    "",
  ]) {
    assert.throws(() => parseMac(text), /expected six hex pairs/, text);
  }
});

test("a made-up MAC is local and unicast whatever the random bytes", () => {
  for (const first of [0x00, 0x01, 0xff, 0xfd]) {
    const [byte = 0] = macToBytes(localMac(Uint8Array.of(first, 1, 2, 3, 4, 5)));
    assert.equal(byte & 0x03, 0x02, String(first));
  }
});

test("names follow RFC 1123", () => {
  for (const [text, label, subdomain] of [
    ["a", true, true],
    ["web-1", true, true],
    ["a.b", false, true],
    ["-a", false, false],
    ["A", false, false],
    ["", false, false],
    ["a".repeat(64), false, false],
    [`${"a".repeat(63)}.b`, false, true],
  ] as const) {
    assert.equal(isDnsLabel(text), label, text);
    assert.equal(isDnsSubdomain(text), subdomain, text);
  }
});

test("keys of objects read back", () => {
  assert.deepEqual(splitNamespacedName(namespacedName({ namespace: "a", name: "b" })), {
    namespace: "a",
    name: "b",
  });
  assert.deepEqual(splitNamespacedName(namespacedName({ name: "b" })), { name: "b" });
});
