import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeSocket, encodeSocketQuery } from "./sock-diag.ts";
import { WireError } from "./wire-error.ts";

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
}

/** Of a TCP socket: state LISTEN, timer, retransmissions; ports; addresses; interface, cookie; expiry, queues, user, inode. */
const cases: readonly (readonly [name: string, hex: string, want: object | undefined])[] = [
  [
    "IPv4 at one address",
    `020a0000 03e90000 7f000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000
     00000000 0100000000000000 00000000 00000000 80000000 00000000 39300000`,
    { family: 4, ip: "127.0.0.1", port: 1001, isDual: false, interface: 0, inode: 12345 },
  ],
  [
    "IPv6 at every address, and IPv4's",
    `0a0a0000 03eb0000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
     02000000 0100000000000000 00000000 00000000 80000000 00000000 39300000 05000b0000000000`,
    { family: 6, ip: "::", port: 1003, isDual: true, interface: 2, inode: 12345 },
  ],
  [
    "IPv6 alone at every address",
    `0a0a0000 03eb0000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
     00000000 0100000000000000 00000000 00000000 80000000 00000000 39300000 05000b0001000000`,
    { family: 6, ip: "::", port: 1003, isDual: false, interface: 0, inode: 12345 },
  ],
  [
    "an IPv6 socket at an IPv4 address",
    `0a070000 03ec0000 00000000 00000000 0000ffff c0000201 00000000 00000000 00000000 00000000
     00000000 0100000000000000 00000000 00000000 00000000 00000000 01000000`,
    { family: 4, ip: "192.0.2.1", port: 1004, isDual: false, interface: 0, inode: 1 },
  ],
  [
    "a datagram socket with a peer",
    `02070000 03e903ea 7f000001 00000000 00000000 00000000 7f000001 00000000 00000000 00000000
     00000000 0100000000000000 00000000 00000000 00000000 00000000 01000000`,
    undefined,
  ],
  [
    "one without a port",
    `02070000 00000000 7f000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000
     00000000 0100000000000000 00000000 00000000 00000000 00000000 01000000`,
    undefined,
  ],
];
for (const [name, hex, want] of cases) test(name, () => assert.deepEqual(decodeSocket(bytes(hex)), want));

test("the question is as long as the kernel wants it, and asks for those that wait", () => {
  const query = encodeSocketQuery(6, 17);
  assert.equal(query.length, 56);
  assert.deepEqual([...query.subarray(0, 8)], [10, 17, 0, 0, 0x80, 0, 0, 0]);
  assert.deepEqual([...encodeSocketQuery(4, 6).subarray(0, 8)], [2, 6, 0, 0, 0, 4, 0, 0]);
});

test("whatever comes is decoded or refused as malformed", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return seed % below;
  };
  for (let i = 0; i < 3000; i++) {
    const payload = Uint8Array.from({ length: random(110) }, () =>
      random(3) === 0 ? random(256) : ([0, 2, 10][random(3)] ?? 0),
    );
    try {
      decodeSocket(payload);
    } catch (error) {
      assert.ok(error instanceof WireError, String(error));
    }
  }
});
