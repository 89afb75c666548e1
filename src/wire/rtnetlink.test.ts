import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr, parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { decodeMessages, type NlMessage } from "./netlink.ts";
import { type AddressMessage, decodeAddress, encodeAddress } from "./rtnetlink-address.ts";
import {
  decodeLink,
  encodeBridgePort,
  encodeLink,
  encodeLinkQuery,
  type LinkAttributes,
} from "./rtnetlink-link.ts";
import { decodeFdb, decodeNeighbor, encodeFdb, encodeNeighbor } from "./rtnetlink-neighbor.ts";
import {
  decodeRoute,
  decodeRouteLookup,
  encodeRoute,
  encodeRouteDeletion,
  encodeRouteLookup,
  type RouteMessage,
} from "./rtnetlink-route.ts";
import type { VxlanData } from "./rtnetlink-vxlan.ts";
import { capturedDatagrams, capturedMessages, capturedNames, hex } from "./testdata/rtnetlink-captured.ts";
import { WireError } from "./wire-error.ts";

const RTM = { address: 20, route: 24, neighbor: 28 };
const MAC = parseMac("02:11:22:33:44:55");
const PEER_MAC = parseMac("02:11:22:33:44:66");
const V4 = "10.42.3.0";
const V6 = "fd00:42:3::";

/** The parts of a request as the kernel would hand them back. */
const asMessage = (parts: readonly Uint8Array[]): NlMessage => ({
  type: 0,
  flags: 0,
  seq: 0,
  port: 0,
  payload: Uint8Array.from(Buffer.concat(parts)),
});
const hexOf = (parts: readonly Uint8Array[]): string => hex(Buffer.concat(parts));
const linkNamed = (name: string) => decodeLink(one(capturedMessages(`link ${name}`)));
const dumped = <T>(name: string, type: number, decode: (message: NlMessage) => T | undefined): T[] =>
  capturedMessages(name)
    .filter((message) => message.type === type)
    .map(decode)
    .filter((value) => value !== undefined);

describe("links the kernel listed", () => {
  test("lo is nobody's", () => {
    const { index, name, kind, mtuBytes, isUp, master, parent } = linkNamed("lo");
    assert.deepEqual(
      { index, name, kind, mtuBytes, isUp, master, parent },
      {
        index: 1,
        name: "lo",
        kind: "",
        mtuBytes: 65_536,
        isUp: true,
        master: undefined,
        parent: undefined,
      },
    );
  });

  test("a bridge", () => {
    const { index, kind, mac, mtuBytes, isUp } = linkNamed("cni0");
    assert.deepEqual([index, kind, mac, mtuBytes, isUp], [2, "bridge", "02:00:00:00:00:01", 1450, true]);
  });

  test("a port whose peer lives in another namespace", () => {
    const { kind, master, parent } = linkNamed("veth0");
    assert.deepEqual([kind, master, parent], ["veth", 2, 2]);
  });

  for (const [name, local] of [
    ["flannel.1", "10.42.0.1"],
    ["flannel-v6.1", "fd00:42::1"],
  ] as const)
    test(name, () => {
      const { kind, parent, vxlan } = linkNamed(name);
      assert.deepEqual([kind, parent], ["vxlan", 2]);
      const { vni, port, underlay, learning, ageingSeconds } = vxlan ?? {};
      assert.deepEqual(
        [vni, port, underlay, vxlan?.local, learning, ageingSeconds],
        [1, 8472, 2, local, false, 300],
      );
    });

  test("group policy and source ports are read where they are set", () => {
    const { gbp, sourcePorts } = linkNamed("flannel.1").vxlan ?? {};
    assert.deepEqual([gbp, sourcePorts], [true, { from: 32_768, to: 61_000 }]);
    assert.equal(linkNamed("flannel-v6.1").vxlan?.gbp, false);
  });
});

describe("addresses, routes and neighbours the kernel listed", () => {
  test("addresses of both families", () => {
    const seen = dumped("dump addresses", RTM.address, decodeAddress).map(
      ({ link, address, scope }) => `${address} ${link} ${scope}`,
    );
    assert.ok(seen.includes("127.0.0.1/8 1 host"));
    assert.ok(seen.includes("10.42.0.1/24 2 global"));
    assert.ok(seen.includes("fd00:42::1/64 2 global"));
  });

  test("IPv4 routes: onlink, several hops, a hop of the other family, another table; no blackhole, no local ones", () => {
    const seen = dumped("dump routes 4", RTM.route, decodeRoute).map(routeText);
    assert.deepEqual(seen.toSorted(), [
      "0.0.0.0/0 via 10.42.0.7 dev 2 table 254 proto 84",
      "10.42.0.0/24 dev 2 table 254 proto 2 src 10.42.0.1",
      "10.42.3.0/24 via 10.42.3.0 dev 4 table 254 proto 84 onlink",
      "10.77.0.0/16 via 10.42.0.8 dev 2 table 254 proto 3",
      "10.78.0.0/16 via fd00:42::9 dev 2 table 254 proto 3",
      "10.79.0.0/16 via 10.42.0.9 dev 2 table 1000 proto 3",
    ]);
  });

  test("IPv6 routes", () => {
    const seen = dumped("dump routes 6", RTM.route, decodeRoute).map(routeText);
    assert.ok(
      seen.includes("fd00:42:3::/64 via fd00:42:3:: dev 5 table 254 proto 84 onlink"),
      seen.join("\n"),
    );
    assert.ok(!seen.some((line) => line.startsWith("ff")), "multicast is left out");
  });

  for (const [family, via] of [
    [4, V4],
    [6, V6],
  ] as const)
    test(`an IPv${family} lookup`, () => {
      const route = decodeRouteLookup(one(capturedMessages(`lookup ${family}`)));
      assert.deepEqual([route?.via, route?.link], [via, family === 4 ? 4 : 5]);
    });

  test("a neighbour and a forwarding entry", () => {
    assert.deepEqual(dumped("dump neighbours 4", RTM.neighbor, decodeNeighbor), [
      { link: 4, ip: V4, mac: PEER_MAC, isPermanent: true },
    ]);
    assert.deepEqual(dumped("dump fdb", RTM.neighbor, decodeFdb), [
      { link: 4, mac: PEER_MAC, vtep: "192.0.2.9" },
    ]);
  });
});

describe("requests, byte for byte", () => {
  const IFINFO = (index: string, flags = "00000000", change = "00000000", family = "00") =>
    `${family}000000${index}${flags}${change}`;
  for (const [what, parts, bytes] of [
    [
      "set a link up by name",
      encodeLink({ name: "eth0", isUp: true }),
      `${IFINFO("00000000", "01000000", "01000000")}090003006574683000000000`,
    ],
    [
      "find a link without its counters",
      encodeLinkQuery({ index: 2 }),
      `${IFINFO("02000000")}08001d0008000000`,
    ],
    [
      "a port's hairpin",
      encodeBridgePort(3, { hairpin: true }),
      `${IFINFO("03000000", undefined, undefined, "07")}0c000c800500040001000000`,
    ],
    [
      "an IPv4 address with its broadcast",
      encodeAddress({ link: 2, address: parseIpPrefix("10.42.0.1/24"), scope: "global" }),
      "0218000002000000" + "080002000a2a0001" + "080001000a2a0001" + "080004000a2a00ff",
    ],
    [
      "an IPv6 address without duplicate detection",
      encodeAddress({ link: 2, address: parseIpPrefix("fd00:42::1/64"), scope: "global" }, { noDad: true }),
      "0a40000002000000" +
        "14000200fd000042000000000000000000000001" +
        "14000100fd000042000000000000000000000001" +
        "0800080002000000",
    ],
    [
      "a route lookup",
      encodeRouteLookup(parseIp("10.42.3.9")),
      "022000000000000000100000" + "080001000a2a0309",
    ],
    [
      "a permanent neighbour",
      encodeNeighbor({ link: 4, ip: parseIp(V4), mac: PEER_MAC }),
      "020000000400000080000000" + "080001000a2a0300" + "0a0002000211223344660000",
    ],
    [
      "a forwarding entry of the vxlan itself",
      encodeFdb({ link: 4, mac: PEER_MAC, vtep: parseIp("192.0.2.9") }),
      "070000000400000080000200" + "0a0002000211223344660000" + "08000100c0000209",
    ],
    [
      "a route's deletion, whoever made it",
      encodeRouteDeletion(routeOf({ via: undefined, link: 4, protocol: 0 })),
      "02180000fe00ff0000000000" + "080001000a2a0300" + "0800040004000000",
    ],
  ] as const)
    test(what, () => assert.equal(hexOf(parts), bytes));
});

describe("what is written is read back", () => {
  const vxlan: VxlanData = {
    vni: 1,
    port: 8472,
    underlay: 2,
    local: parseIp("192.0.2.7"),
    learning: false,
    ttl: 64,
    tos: 1,
    ageingSeconds: 300,
    limit: 10,
    proxy: true,
    rsc: true,
    l2miss: true,
    l3miss: true,
    udpChecksum: true,
    zeroChecksum6Tx: true,
    zeroChecksum6Rx: true,
    group: parseIp("239.1.1.1"),
    sourcePorts: { from: 1024, to: 2048 },
    gbp: true,
  };

  for (const [what, data] of [
    ["everything", vxlan],
    ["IPv6", { ...vxlan, local: parseIp("2001:db8::7"), group: parseIp("ff02::1") }],
  ] as const)
    test(`a vxlan with ${what}`, () => {
      const link: LinkAttributes = { index: 9, name: "flannel.1", mac: MAC, isUp: true, mtuBytes: 1450 };
      const read = decodeLink(asMessage(encodeLink({ ...link, info: { kind: "vxlan", vxlan: data } })));
      assert.deepEqual(read.vxlan, data);
      assert.deepEqual(
        [read.index, read.name, read.mac, read.isUp, read.mtuBytes],
        [9, "flannel.1", MAC, true, 1450],
      );
    });

  for (const address of ["10.42.0.1/24", "10.42.0.0/32", "fd00:42::1/64"])
    test(`address ${address}`, () => {
      const value: AddressMessage = { link: 7, address: parseIpPrefix(address), scope: "global" };
      // A request does not say that it is for good: the kernel does, of an address without a lifetime.
      assert.deepEqual(decodeAddress(asMessage(encodeAddress(value))), { ...value, marks: ["dynamic"] });
    });

  for (const route of [
    routeOf({}),
    routeOf({ onlink: true, table: 1000 }),
    routeOf({ to: parseCidr("::/0"), via: parseIp(V6), source: parseIp("fd00::1") }),
    routeOf({ via: parseIp(V6) }),
    routeOf({ via: undefined }),
    routeOf({ metric: 2000 }),
    routeOf({ via: undefined, link: 0, kind: "unreachable", metric: 0x7fff_fff0 }),
    routeOf({ to: parseCidr("fd00:42::/56"), via: undefined, link: 0, kind: "unreachable" }),
  ])
    test(`route ${routeText(route)}`, () =>
      assert.deepEqual(decodeRoute(asMessage(encodeRoute(route))), route));
});

describe("decoders under damage", () => {
  const decoders = [decodeLink, decodeAddress, decodeRoute, decodeRouteLookup, decodeNeighbor, decodeFdb];

  test("a payload of any length below the header's is malformed", () => {
    for (const decode of decoders)
      assert.throws(() => decode(asMessage([Uint8Array.of(2, 0, 0)])), WireError, decode.name);
  });

  test("flipped and cut bytes are values or WireErrors, nothing else", () => {
    const random = seeded(42);
    for (const name of capturedNames())
      for (const datagram of capturedDatagrams(name))
        for (let round = 0; round < 60; round++) {
          const bytes = damaged(datagram, random);
          try {
            for (const message of decodeMessages(bytes))
              for (const decode of decoders) survive(decode, message);
          } catch (error) {
            assert.ok(error instanceof WireError, `${name} round ${round}: ${error}`);
          }
        }
  });
});

function survive(decode: (message: NlMessage) => unknown, message: NlMessage): void {
  try {
    decode(message);
  } catch (error) {
    assert.ok(error instanceof WireError, `${decode.name} of ${hex(message.payload)}: ${error}`);
  }
}

function damaged(bytes: Uint8Array, random: () => number): Uint8Array {
  const out = bytes.slice(0, random() < 0.2 ? Math.floor(random() * bytes.length) : bytes.length);
  for (let flips = Math.floor(random() * 8); flips > 0; flips--)
    if (out.length > 0) out[Math.floor(random() * out.length)] = Math.floor(random() * 256);
  return out;
}

/** The same numbers from 0 to 1 every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function routeOf(facts: Partial<RouteMessage>): RouteMessage {
  return {
    to: parseCidr("10.42.3.0/24"),
    via: parseIp(V4),
    link: 4,
    onlink: false,
    table: 254,
    protocol: 84,
    ...facts,
  };
}

function routeText({ to, via, link, onlink, table, protocol, source, kind }: RouteMessage): string {
  return (
    `${kind ? `${kind} ` : ""}${to}${via ? ` via ${via}` : ""} dev ${link} table ${table} proto ${protocol}` +
    `${source ? ` src ${source}` : ""}${onlink ? " onlink" : ""}`
  );
}

function one<T>(values: readonly T[]): T {
  const [value] = values;
  if (value === undefined) throw new Error("nothing was captured");
  return value;
}
