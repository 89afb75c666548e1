import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILIES } from "#addr/family";
import { decodeElement, encodeElement } from "./element-codec.ts";
import type { Element } from "./model.ts";
import { translate } from "./testing/objects.ts";

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("hex");

const cases: readonly Omit<Element, "family">[] = [
  { set: "cluster-ips", key: "10.43.0.7", data: "" },
  { set: "frontends", key: "10.43.0.7 . tcp . 80", data: "goto inside-3" },
  { set: "no-endpoints", key: "10.43.0.7 . udp . 53", data: "drop" },
  { set: "endpoints", key: "10.43.0.7 . sctp . 80 . 2", data: "10.42.1.2 . 8080" },
  { set: "hairpin", key: "10.42.0.2 . 10.42.0.2", data: "" },
  { set: "allowed-sources", key: "10.43.0.7 . tcp . 80 . 192.168.9.0/24", data: "" },
  { set: "sticky-ids", key: "10.43.0.7 . tcp . 80", data: "0x80008000" },
  { set: "sticky-choices", key: "0x80008000 . 1", data: "0x80008002" },
  { set: "sticky-slots", key: "0x80008002", data: "10.42.1.2 . 8080" },
];

for (const family of FAMILIES)
  for (const { set, key, data } of cases)
    test(`an element of ${set} is the same after its bytes, over IPv${family}`, () => {
      const element = { family, set, key: translate(key, family), data: translate(data, family) };
      assert.deepEqual(decodeElement(family, set, encodeElement(element)), element);
    });

test("addresses and ports are in network order, indexes in the host's", () => {
  const { key, data } = encodeElement({
    family: 4,
    set: "endpoints",
    key: "10.43.0.7 . tcp . 80 . 2",
    data: "10.42.1.2 . 8080",
  });
  assert.equal(hex(key), "0a2b00070600000000500000" + "02000000");
  assert.equal(data?.kind === "value" ? hex(data.bytes) : undefined, "0a2a01021f900000");
});

test("a range has both its ends", () => {
  const { key, keyEnd } = encodeElement({
    family: 4,
    set: "allowed-sources",
    key: "10.43.0.7 . tcp . 80 . 192.168.8.0/22",
    data: "",
  });
  assert.equal(hex(key).slice(-8), "c0a80800");
  assert.equal(hex(keyEnd).slice(-8), "c0a80bff");
});

test("an element of another program is refused", () => {
  assert.throws(() => decodeElement(4, "frontends", { key: new Uint8Array(4) }), { code: "Malformed" });
});
