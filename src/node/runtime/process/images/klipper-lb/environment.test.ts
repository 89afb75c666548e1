import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#fault/fault";
import { readForwarding } from "./environment.ts";

const GOOD = {
  SRC_PORT: "80",
  SRC_RANGES: "0.0.0.0/0",
  DEST_PROTO: "TCP",
  DEST_PORT: "30080",
  DEST_IPS: "10.43.0.9",
};

test("the environment that K3s writes is read, and what other versions of it wrote", () => {
  const read = { protocol: "tcp", port: 80, destinationPort: 30080 };
  assert.deepEqual(readForwarding(GOOD), { ...read, sources: ["0.0.0.0/0"], destinations: ["10.43.0.9"] });
  const dual = { ...GOOD, SRC_RANGES: "0.0.0.0/0,::/0", DEST_IPS: "10.43.0.9,FD43::0009" };
  assert.deepEqual(readForwarding(dual).sources, ["0.0.0.0/0", "::/0"]);
  assert.deepEqual(readForwarding(dual).destinations, ["10.43.0.9", "fd43::9"]);
  const blanks = { ...GOOD, SRC_RANGES: " 192.0.2.7/24  2001:db8::7 ,", DEST_PROTO: "udp" };
  assert.deepEqual(readForwarding(blanks).sources, ["192.0.2.0/24", "2001:db8::7/128"]);
  assert.equal(readForwarding(blanks).protocol, "udp");
});

const bad: readonly [name: keyof typeof GOOD, text: string | undefined, says: RegExp][] = [
  ["SRC_PORT", undefined, /SRC_PORT is not set/],
  ["SRC_PORT", "", /SRC_PORT is not set/],
  ["SRC_PORT", "0", /SRC_PORT="0": expected a port/],
  ["SRC_PORT", "65536", /SRC_PORT="65536"/],
  ["SRC_PORT", "80; drop", /SRC_PORT="80; drop"/],
  ["DEST_PORT", "0x50", /DEST_PORT="0x50"/],
  ["DEST_PORT", "0", /DEST_PORT="0".* no node port.*allocateLoadBalancerNodePorts/],
  ["DEST_PROTO", "ICMP", /DEST_PROTO="ICMP": expected TCP, UDP or SCTP/],
  ["SRC_RANGES", " , ", /SRC_RANGES is not set/],
  ["SRC_RANGES", "10.0.0.0/33", /SRC_RANGES: .*10\.0\.0\.0\/33.*at most 32/],
  ["SRC_RANGES", "0.0.0.0/0,everybody", /SRC_RANGES: .*everybody/],
  ["DEST_IPS", "10.43.0.9/32", /DEST_IPS: .*10\.43\.0\.9\/32/],
  ["DEST_IPS", "10.43.0.9 accept", /DEST_IPS: .*accept/],
  ["DEST_IPS", undefined, /DEST_IPS is not set/],
];
for (const [name, text, says] of bad)
  test(`${name}=${JSON.stringify(text)} is refused by its name`, () => {
    assert.throws(
      () => readForwarding({ ...GOOD, [name]: text }),
      (error) => isFault(error) && error.code === "BadEnvironment" && says.test(error.message),
    );
  });
