import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { WireError } from "./wire-error.ts";
import { unmapped } from "./wireguard.ts";
import { keyFromHex, publicKeyOf } from "./wireguard-key.ts";
import { decodeUapiDevice, decodeUapiSet, encodeUapiSet, isWholeAnswer } from "./wireguard-uapi.ts";

const PRIVATE = "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";
const PEERS = [
  "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33",
  "58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376",
  "662e14fd594556f522604703340351258903b64f35553763f19426ab2a515c58",
] as const;
const PSK = "188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52";
const key = (hex: string) => keyFromHex(hex);

/** The answer that the protocol's own page shows. */
const ANSWER = `private_key=${PRIVATE}
listen_port=12912
public_key=${PEERS[0]}
preshared_key=${PSK}
allowed_ip=192.168.4.4/32
endpoint=[abcd:23::33%2]:51820
public_key=${PEERS[1]}
preshared_key=${"0".repeat(64)}
tx_bytes=38333
rx_bytes=2224
allowed_ip=192.168.4.6/32
persistent_keepalive_interval=111
endpoint=182.122.22.19:3233
last_handshake_time_sec=1700000000
last_handshake_time_nsec=123456789
public_key=${PEERS[2]}
endpoint=5.152.198.39:51820
allowed_ip=192.168.4.10/32
allowed_ip=192.168.4.11/32
tx_bytes=1212111
rx_bytes=1929999999
protocol_version=1
errno=0

`;

describe("WireGuard's text", () => {
  test("a device is read whole", () => {
    assert.deepEqual(decodeUapiDevice(ANSWER), {
      publicKey: publicKeyOf(key(PRIVATE)),
      listenPort: 12912,
      peers: [
        {
          publicKey: key(PEERS[0]),
          presharedKey: key(PSK),
          endpoint: { ip: "abcd:23::33", port: 51820 },
          keepaliveSeconds: 0,
          allowedIps: ["192.168.4.4/32"],
          receivedBytes: 0,
          sentBytes: 0,
        },
        {
          publicKey: key(PEERS[1]),
          endpoint: { ip: "182.122.22.19", port: 3233 },
          keepaliveSeconds: 111,
          allowedIps: ["192.168.4.6/32"],
          lastHandshakeMs: 1_700_000_000_123,
          receivedBytes: 2224,
          sentBytes: 38333,
        },
        {
          publicKey: key(PEERS[2]),
          endpoint: { ip: "5.152.198.39", port: 51820 },
          keepaliveSeconds: 0,
          allowedIps: ["192.168.4.10/32", "192.168.4.11/32"],
          receivedBytes: 1929999999,
          sentBytes: 1212111,
        },
      ],
    });
  });

  test("a device that was told nothing yet is one too", () => {
    assert.deepEqual(decodeUapiDevice("errno=0\n\n"), { publicKey: undefined, listenPort: 0, peers: [] });
  });

  test("a change is lines", () => {
    const text = encodeUapiSet({
      privateKey: key(PRIVATE),
      listenPort: 51820,
      replacesPeers: true,
      peers: [
        {
          publicKey: key(PEERS[0]),
          presharedKey: undefined,
          endpoint: { ip: parseIp("2001:db8::b"), port: 51821 },
          keepaliveSeconds: 25,
          allowedIps: [parseCidr("10.42.1.0/24"), parseCidr("fd42:0:0:1::/64")],
        },
        { publicKey: key(PEERS[1]), presharedKey: key(PSK) },
        { publicKey: key(PEERS[2]), isRemoved: true },
      ],
    });
    assert.deepEqual(text.split("\n"), [
      "set=1",
      `private_key=${PRIVATE}`,
      "listen_port=51820",
      "replace_peers=true",
      `public_key=${PEERS[0]}`,
      `preshared_key=${"0".repeat(64)}`,
      "endpoint=[2001:db8::b]:51821",
      "persistent_keepalive_interval=25",
      "replace_allowed_ips=true",
      "allowed_ip=10.42.1.0/24",
      "allowed_ip=fd42:0:0:1::/64",
      `public_key=${PEERS[1]}`,
      `preshared_key=${PSK}`,
      `public_key=${PEERS[2]}`,
      "remove=true",
      "",
      "",
    ]);
    assert.equal(encodeUapiSet({}), "set=1\n\n");
  });

  test("an answer to a set is its errno, whichever sign it has", () => {
    assert.equal(decodeUapiSet("errno=0\n\n"), 0);
    assert.equal(decodeUapiSet("errno=-98\n\n"), 98);
    assert.equal(decodeUapiSet("errno=22\n\n"), 22);
  });

  for (const [why, answer] of [
    ["cut short", "errno=0\n"],
    ["without an errno", "listen_port=1\n\n"],
    ["with a line that is none", "listen_port\nerrno=0\n\n"],
    ["with a port that is none", "listen_port=65536\nerrno=0\n\n"],
    ["with a key that is none", "private_key=00\nerrno=0\n\n"],
    ["with an endpoint that is none", `public_key=${PEERS[0]}\nendpoint=1.2.3:4\nerrno=0\n\n`],
    ["with a network that is none", `public_key=${PEERS[0]}\nallowed_ip=10.0.0.0/33\nerrno=0\n\n`],
    ["that is a refusal", "errno=5\n\n"],
  ] as const)
    test(`an answer ${why} is malformed`, () => assert.throws(() => decodeUapiDevice(answer), WireError));

  test("an answer is whole at its empty line", () => {
    assert.equal(isWholeAnswer("errno=0\n"), false);
    assert.equal(isWholeAnswer("errno=0\n\n"), true);
  });

  test("an IPv4 address written as IPv6 is the IPv4 address", () => {
    assert.deepEqual(
      ["::ffff:192.0.2.7", "::ffff:0:1", "2001:db8::ffff", "192.0.2.7"].map((text) =>
        unmapped(parseIp(text)),
      ),
      ["192.0.2.7", "0.0.0.1", "2001:db8::ffff", "192.0.2.7"],
    );
  });

  test("damaged answers are refused as such, or read as something", () => {
    for (let i = 0; i < 5000; i++) {
      const at = (i * 31) % ANSWER.length;
      const middle = String.fromCharCode(9 + ((i * 7) % 120)).repeat(i % 3);
      const damaged = `${ANSWER.slice(0, at)}${middle}${ANSWER.slice(at + (i % 5))}`;
      try {
        decodeUapiDevice(i % 2 === 0 ? damaged : `${ANSWER.slice(0, at)}\n\n`);
      } catch (error) {
        assert.ok(error instanceof WireError, `case ${i}: ${String(error)}`);
      }
    }
  });
});
