import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FAMILIES, type Family } from "#addr/family";
import { type Ip, parseIp } from "#addr/ip";
import { decodeIcmp, encodeEchoRequest, ICMP } from "./icmp.ts";
import { internetChecksum, pseudoHeader } from "./internet-checksum.ts";
import { encodeUdpPacket, PROTOCOL_UDP } from "./udp-packet.ts";
import { WireError } from "./wire-error.ts";

const WORLD = {
  4: { source: parseIp("10.42.0.0"), to: parseIp("10.42.3.0"), outer: 20 },
  6: { source: parseIp("fd42::"), to: parseIp("fd42:0:0:3::"), outer: 0 },
} as const;
const ECHO = { identifier: 0x1234, sequence: 7, payload: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]) };
const DATAGRAM = { sourcePort: 40_001, port: 33_434, payload: Uint8Array.from([1, 2, 3]) };

/** An ICMP message as a raw socket receives it: in IPv4 behind its IP header. */
function received(family: Family, head: readonly number[], rest: Uint8Array): Uint8Array {
  const outer = new Uint8Array(WORLD[family].outer);
  if (outer.length > 0) outer[0] = 0x45;
  return Uint8Array.from([...outer, ...head, ...rest]);
}

/** An echo request of ours in its IP packet. */
function sentEcho(family: Family): Uint8Array {
  const packet = encodeUdpPacket({ ...WORLD[family], ...DATAGRAM });
  const header = packet.subarray(0, ICMP[family].ip.bytes);
  header[ICMP[family].ip.protocolAt] = ICMP[family].protocol;
  return Uint8Array.from([...header, ...encodeEchoRequest(family, ECHO)]);
}

describe("checksums", () => {
  test("the example of RFC 1071 section 3", () => {
    assert.equal(internetChecksum(Uint8Array.from([0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7])), 0x220d);
  });

  test("an odd byte counts as the upper half, and carries are folded until none is left", () => {
    assert.equal(internetChecksum(Uint8Array.of(1)), 0xfeff);
    assert.equal(internetChecksum(new Uint8Array(200_000).fill(0xff)), 0);
  });

  for (const family of FAMILIES)
    test(`IPv${family}: a datagram with its pseudo-header sums up to nothing`, () => {
      const { source, to } = WORLD[family];
      const packet = encodeUdpPacket({ source, to, ...DATAGRAM });
      const datagram = packet.subarray(ICMP[family].ip.bytes);
      assert.equal(datagram.length, 11);
      const pseudo = pseudoHeader(source, to, { protocol: PROTOCOL_UDP, bytes: datagram.length });
      assert.equal(internetChecksum(pseudo, datagram), 0);
    });

  test("a checksum of zero is sent as all ones, for zero says that there is none", () => {
    const sums = new Set<number>();
    for (let port = 0; port < 0x10000; port++) {
      const at = { source: WORLD[4].source, to: WORLD[4].to };
      const packet = encodeUdpPacket({ ...at, ...DATAGRAM, port, payload: new Uint8Array(0) });
      sums.add(((packet[26] ?? 0) << 8) | (packet[27] ?? 0));
    }
    assert.ok(sums.has(0xffff));
    assert.ok(!sums.has(0));
  });
});

for (const family of FAMILIES)
  describe(`ICMP of IPv${family}`, () => {
    const { to } = WORLD[family];
    const { unreachable, portCode, reply, tooBig } = ICMP[family];
    const quotedUdp = encodeUdpPacket({ ...WORLD[family], ...DATAGRAM });
    const datagram = { kind: "datagram", to, sourcePort: 40_001, port: 33_434 };
    const echo = { kind: "echo", to, identifier: 0x1234, sequence: 7 };
    const cases: readonly [string, Uint8Array, unknown][] = [
      [
        "an answered echo",
        received(family, [reply, 0, 0, 0, 0x12, 0x34, 0, 7], ECHO.payload),
        { kind: "reply", ...ECHO },
      ],
      [
        "a closed port",
        received(family, [unreachable, portCode, 0, 0, 0, 0, 0, 0], quotedUdp),
        { kind: "port-unreachable", quoted: datagram },
      ],
      [
        "a host that is not there, of which only eight bytes are quoted",
        received(
          family,
          [unreachable, 1, 0, 0, 0, 0, 0, 0],
          sentEcho(family).subarray(0, ICMP[family].ip.bytes + 8),
        ),
        { kind: "unreachable", quoted: echo },
      ],
      [
        "too big for a link on the way",
        received(family, [tooBig.type, tooBig.code, 0, 0, 0, 0, 0x05, 0x46], sentEcho(family)),
        { kind: "too-big", mtuBytes: 1350, quoted: echo },
      ],
      [
        "another's kind of packet is quoted",
        received(family, [unreachable, 1, 0, 0, 0, 0, 0, 0], withProtocol(family, quotedUdp, 6)),
        undefined,
      ],
      ["a type that is no answer", received(family, [99, 0, 0, 0, 0, 0, 0, 0], quotedUdp), undefined],
    ];
    for (const [name, bytes, expected] of cases)
      test(name, () => assert.deepEqual(decodeIcmp(family, bytes), expected));

    test("what is cut short is refused as malformed, whatever it is", () => {
      for (const [name, bytes] of cases)
        for (let length = 0; length < bytes.length; length++)
          readsOrRefuses(family, bytes.subarray(0, length), `${name}, ${length} bytes`);
    });

    test("rubbish is read or refused as malformed", () => {
      let seed = 4711;
      const next = () => {
        seed = (seed * 48_271) % 0x7fff_ffff;
        return seed >> 8;
      };
      for (let round = 0; round < 20_000; round++) {
        const bytes = Uint8Array.from({ length: next() % 90 }, () => next());
        // Half of them begin like something known.
        if (round % 2 === 0) bytes.set((cases[round % cases.length]?.[1] ?? bytes).subarray(0, bytes.length));
        for (let flip = 0; flip < 3 && bytes.length > 0; flip++) bytes[next() % bytes.length] = next();
        readsOrRefuses(family, bytes, `round ${round}`);
      }
    });
  });

test("an IPv4 request carries its checksum", () => {
  assert.equal(internetChecksum(encodeEchoRequest(4, ECHO)), 0);
});

function withProtocol(family: Family, packet: Uint8Array, protocol: number): Uint8Array {
  const out = packet.slice();
  out[ICMP[family].ip.protocolAt] = protocol;
  return out;
}

function readsOrRefuses(family: Family, bytes: Uint8Array, what: string): void {
  try {
    const message = decodeIcmp(family, bytes);
    const quoted: { readonly to: Ip } | undefined =
      message && "quoted" in message ? message.quoted : undefined;
    if (quoted) assert.equal(parseIp(quoted.to), quoted.to, what);
  } catch (error) {
    assert.ok(error instanceof WireError, `${what}: ${error}`);
  }
}
