import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import { decodeFlow, encodeFlowFilter, encodeFlowName } from "./conntrack.ts";
import { decodeAttributes } from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";

const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));

/** UDP flows as a kernel dumped them: one of IPv4, one of IPv6. */
const V4 =
  "020000003400018014000180080001007f000001080002007f0000011c000280050001001100000006000200d6560000060003000fa000003400028014000180080001007f000001080002007f0000011c0002800500010011000000060002000fa0000006000300d65600000800030000000188080008000000000008000c0074142f1808000b0000000001080007000000001d";
const V6 =
  "0a0000004c0001802c000180140003000000000000000000000000000000000114000400000000000000000000000000000000011c000280050001001100000006000200b1e40000060003000fa100004c0002802c000180140003000000000000000000000000000000000114000400000000000000000000000000000000011c0002800500010011000000060002000fa1000006000300b1e400000800030000000008080008000000000008000c00cef0f70708000b0000000001080007000000001d";

const cases = [
  { bytes: V4, family: 4, ip: "127.0.0.1", from: 54870, to: 4000 },
  { bytes: V6, family: 6, ip: "::1", from: 45540, to: 4001 },
] as const;

for (const { bytes, family, ip, from, to } of cases) {
  const address = parseIp(ip);
  const flow = {
    family,
    protocol: 17,
    original: { source: address, destination: address, sourcePort: from, destinationPort: to },
    reply: { source: address, destination: address, sourcePort: to, destinationPort: from },
    zone: 0,
  };

  test(`reads a tracked connection of IPv${family}`, () => {
    assert.deepEqual(decodeFlow(hex(bytes)), flow);
  });

  test(`names a connection of IPv${family} as the kernel does`, () => {
    const [named] = encodeFlowName(flow);
    const dumped = decodeAttributes(hex(bytes).subarray(4)).get(1);
    assert.deepEqual(Buffer.from(named?.subarray(4) ?? []), Buffer.from(dumped ?? []));
  });
}

test("asks for a protocol and a port as the kernel wants it", () => {
  const asked = (filter: Parameters<typeof encodeFlowFilter>[0]) =>
    encodeFlowFilter(filter).map((part) => Buffer.from(part).toString("hex"));
  assert.deepEqual(asked({ protocol: 17, toPort: 53 }), [
    "180001801400028005000100110000000600030000350000",
    "0c0019800800010028000000",
  ]);
  assert.deepEqual(asked({ protocol: 17 }), ["100001800c0002800500010011000000", "0c0019800800010008000000"]);
});

test("another family is passed over", () => {
  assert.equal(decodeFlow(Uint8Array.of(1, 0, 0, 0)), undefined);
});

test("damaged connections are refused as such, or read as something", () => {
  for (const { bytes } of cases) {
    const whole = hex(bytes);
    for (let i = 0; i < 2000; i++) {
      const damaged = whole.slice(0, whole.length - (i % whole.length));
      damaged[(i * 31) % damaged.length] = (i * 7) & 0xff;
      try {
        decodeFlow(damaged);
      } catch (error) {
        assert.ok(error instanceof WireError, `case ${i}: ${String(error)}`);
      }
    }
  }
});
