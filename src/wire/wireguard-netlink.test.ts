import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { decodeFamily, encodeFamilyQuery } from "./genetlink.ts";
import { attribute, listAttributes, nest, string, u8, u16, u32 } from "./netlink-attribute.ts";
import { hex, unhex } from "./testdata/rtnetlink-captured.ts";
import { WireError } from "./wire-error.ts";
import { NO_KEY, type WireguardPeer } from "./wireguard.ts";
import { keyFromBytes } from "./wireguard-key.ts";
import { decodeDevicePart, encodeDeviceChange, encodeDeviceQuery, mergeDevice } from "./wireguard-netlink.ts";

/** A key whose bytes count up from `first`. */
const keyBytes = (first: number) => Uint8Array.from({ length: 32 }, (_, i) => first + i);
const key = (first: number) => keyFromBytes(keyBytes(first));

/** The same change as golang.zx2c4.com/wireguard/wgctrl writes it, but for the items of lists: there they are numbered, and
 *  kernels ignore what they are. */
const SET = [
  "01010000",
  `0f000200${Buffer.from("flannel-wg\0").toString("hex")}00`,
  `24000300${hex(keyBytes(0x01))}`,
  "060006006cca0000",
  "0800050001000000",
  "34010880",
  `b8000080 24000100${hex(keyBytes(0x20))} 0800030002000000 24000200${hex(keyBytes(0x60))}`,
  "14000400 0200ca6cc000020b0000000000000000 0600050019000000",
  "48000980 1c000080 0600010002000000 080002000a2a0100 0500030018000000",
  "28000080 060001000a000000 14000200fd420000000000010000000000000000 0500030040000000",
  `48000080 24000100${hex(keyBytes(0x40))} 200004000a00ca6d0000000020010db800000000000000000000000b00000000`,
  `30000080 24000100${hex(keyBytes(0x80))} 0800030001000000`,
]
  .join("")
  .replaceAll(" ", "");

const PEER = {
  publicKey: key(0x20),
  presharedKey: key(0x60),
  endpoint: { ip: parseIp("192.0.2.11"), port: 51820 },
  keepaliveSeconds: 25,
  allowedIps: [parseCidr("10.42.1.0/24"), parseCidr("fd42:0:0:1::/64")],
};

/** A peer's networks and more, as a dump lists them. */
const allowedIps = (count: number, from = 0) =>
  nest(
    9,
    ...Array.from({ length: count }, (_, i) =>
      nest(0, u16(1, 2), attribute(2, Uint8Array.of(10, (from + i) >> 8, (from + i) & 255, 0)), u8(3, 24)),
    ),
  );
const part = (...attributes: readonly Uint8Array[]) => ({
  payload: Buffer.concat([Uint8Array.of(0, 1, 0, 0), string(2, "wg0"), ...attributes]),
});
const times = Buffer.alloc(16);
times.writeBigInt64LE(1_700_000_000n, 0);
times.writeBigInt64LE(123_456_789n, 8);
const counter = (n: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(n));
  return bytes;
};
const FIRST_PART = part(
  u32(1, 7),
  attribute(3, keyBytes(1)),
  attribute(4, keyBytes(2)),
  u16(6, 51820),
  u32(7, 0),
  nest(
    8,
    nest(
      0,
      attribute(1, keyBytes(0x20)),
      attribute(2, new Uint8Array(32)),
      attribute(6, times),
      u16(5, 25),
      attribute(8, counter(148)),
      attribute(7, counter(92)),
      u32(10, 1),
      attribute(4, unhex("0200ca6cc000020b0000000000000000")),
      allowedIps(2),
    ),
  ),
);
const SECOND_PART = part(
  nest(
    8,
    nest(0, attribute(1, keyBytes(0x20)), allowedIps(1, 2)),
    nest(0, attribute(1, keyBytes(0x40)), attribute(4, new Uint8Array(16)), allowedIps(0)),
  ),
);

describe("generic netlink", () => {
  test("a family is asked for by name", () => {
    assert.equal(
      hex(Buffer.concat(encodeFamilyQuery("wireguard"))),
      "03020000" + "0e000200776972656775617264000000",
    );
    assert.throws(() => encodeFamilyQuery("a name that is too long"), RangeError);
  });

  test("an answer names its number", () => {
    // As a kernel answers for the family `nlctrl`, without its lists of operations and groups.
    const payload = unhex("01020000" + "0b0002006e6c6374726c0000" + "0600010010000000" + "0800030002000000");
    assert.deepEqual(decodeFamily({ payload }), { id: 16, name: "nlctrl" });
    assert.throws(() => decodeFamily({ payload: unhex("01020000") }), WireError);
    assert.throws(() => decodeFamily({ payload: unhex("0102") }), WireError);
  });
});

describe("WireGuard over netlink", () => {
  test("a device is asked for by name", () => {
    assert.equal(hex(Buffer.concat(encodeDeviceQuery("wg0"))), "00010000" + "0800020077673000");
  });

  test("a change is byte for byte what others write", () => {
    const requests = encodeDeviceChange("flannel-wg", {
      privateKey: key(0x01),
      listenPort: 51820,
      replacesPeers: true,
      peers: [
        PEER,
        { publicKey: key(0x40), endpoint: { ip: parseIp("2001:db8::b"), port: 51821 } },
        { publicKey: key(0x80), isRemoved: true },
      ],
    });
    assert.deepEqual(
      requests.map((parts) => hex(Buffer.concat(parts))),
      [SET],
    );
  });

  test("a change of nothing names the device only", () => {
    const [parts = [], ...rest] = encodeDeviceChange("wg0", {});
    assert.equal(hex(Buffer.concat(parts)), "01010000" + "0800020077673000");
    assert.deepEqual(rest, []);
  });

  test("a preshared key is set, taken away or left", () => {
    const psk = (peer: object) => {
      const [parts = []] = encodeDeviceChange("wg0", { peers: [{ publicKey: key(1), ...peer }] });
      return hex(Buffer.concat(parts)).includes(`24000200${hex(keyBytes(0x60))}`)
        ? "set"
        : hex(Buffer.concat(parts)).includes(`24000200${"00".repeat(32)}`)
          ? "taken away"
          : "left";
    };
    assert.deepEqual(
      [
        psk({ presharedKey: key(0x60) }),
        psk({ presharedKey: undefined }),
        psk({ presharedKey: NO_KEY }),
        psk({}),
      ],
      ["set", "taken away", "taken away", "left"],
    );
  });

  test("a peer without networks loses those it had", () => {
    const [parts = []] = encodeDeviceChange("wg0", { peers: [{ publicKey: key(1), allowedIps: [] }] });
    assert.ok(hex(Buffer.concat(parts)).endsWith("0800030002000000"));
  });

  test("what does not fit one request is split; only the first asks for replacement", () => {
    const many = Array.from({ length: 3000 }, (_, i) => parseCidr(`10.${i >> 8}.${i & 255}.0/24`));
    const peers = Array.from({ length: 600 }, (_, i) => ({
      publicKey: keyFromBytes(Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? i & 255 : i >> 8))),
      allowedIps: [parseCidr(`172.16.${i & 255}.0/24`)],
    }));
    const requests = encodeDeviceChange("wg0", {
      privateKey: key(1),
      replacesPeers: true,
      peers: [{ publicKey: key(0x20), allowedIps: many }, ...peers],
    }).map((parts) => Buffer.concat(parts));
    assert.ok(requests.length > 5);
    for (const [i, request] of requests.entries()) {
      assert.ok(request.length < 20_000, `request ${i} has ${request.length} bytes`);
      const types = listAttributes(request.subarray(4)).map(([type]) => type);
      assert.deepEqual(types, i === 0 ? [2, 3, 5, 8] : [2, 8]);
    }
    const items = requests.flatMap((request) =>
      listAttributes(request.subarray(4)).flatMap(([type, value]) =>
        type === 8 ? listAttributes(value) : [],
      ),
    );
    const flagged = items.filter(([, item]) => listAttributes(item).some(([type]) => type === 3));
    assert.equal(flagged.length, 601, "each peer's networks are replaced once");
    const device = mergeDevice(requests.map((payload) => decodeDevicePart({ payload })));
    assert.equal(device.peers.length, 601);
    assert.deepEqual(device.peers[0]?.allowedIps, many);
  });

  test("a dump in several messages is one device, and a peer in several one peer", () => {
    const peers: WireguardPeer[] = [
      {
        publicKey: key(0x20),
        endpoint: { ip: parseIp("192.0.2.11"), port: 51820 },
        keepaliveSeconds: 25,
        allowedIps: ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"].map((text) => parseCidr(text)),
        lastHandshakeMs: 1_700_000_000_123,
        receivedBytes: 92,
        sentBytes: 148,
      },
      { publicKey: key(0x40), keepaliveSeconds: 0, allowedIps: [], receivedBytes: 0, sentBytes: 0 },
    ];
    const device = mergeDevice([FIRST_PART, SECOND_PART].map(decodeDevicePart));
    assert.deepEqual(device, { publicKey: key(2), listenPort: 51820, peers });
  });

  test("a device without a key or peers is one too", () => {
    assert.deepEqual(mergeDevice([decodeDevicePart(part())]), {
      publicKey: undefined,
      listenPort: 0,
      peers: [],
    });
  });

  test("damaged messages are refused as such, or read as something", () => {
    for (const whole of [FIRST_PART.payload, SECOND_PART.payload, unhex(SET)])
      for (let i = 0; i < 3000; i++) {
        const damaged = whole.subarray(0, whole.length - (i % 7 === 0 ? i % whole.length : 0)).slice();
        damaged[(i * 31) % damaged.length] = (i * 7) & 0xff;
        try {
          decodeDevicePart({ payload: damaged });
          decodeFamily({ payload: damaged });
        } catch (error) {
          assert.ok(error instanceof WireError, `case ${i}: ${String(error)}`);
        }
      }
  });
});
