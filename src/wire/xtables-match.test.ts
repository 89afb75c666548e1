import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import { WireError } from "./wire-error.ts";
import { decodeXtMatch, type XtMatch } from "./xtables-match.ts";

interface Case {
  readonly as: string;
  readonly name: string;
  readonly revision: number;
  /** As a kernel listed it, deflated. */
  readonly info: string;
  readonly is: XtMatch;
}

const state = (states: number, inverted = false): XtMatch => ({ kind: "state", states, inverted });
const conntrack = { name: "conntrack", revision: 3 };
const multiport = { name: "multiport", revision: 1 };
const addrtype = { name: "addrtype", revision: 1 };
const cases: readonly Case[] = [
  {
    as: "--comment 'flanneld masq'",
    name: "comment",
    revision: 0,
    info: "S8tJzMtLzUlRyE0sLmQYeQAA",
    is: { kind: "comment", text: "flanneld masq" },
  },
  { as: "--ctstate RELATED,ESTABLISHED", ...conntrack, info: "Y2AYbICRgYGBDUMUAA==", is: state(6) },
  { as: "! --ctstate NEW", ...conntrack, info: "Y2AYbICRgZGBA0MUAA==", is: state(8, true) },
  { as: "-m state --state INVALID", ...conntrack, info: "Y2AYbIBRgYGBEUMUAA==", is: state(1) },
  {
    as: "--ctstate DNAT",
    ...conntrack,
    info: "Y2AYbIARSDRgiAIA",
    is: { kind: "other", name: "conntrack" },
  },
  {
    as: "--ctproto 6",
    ...conntrack,
    info: "Y2AYHIANzmLCKg8A",
    is: { kind: "other", name: "conntrack" },
  },
  {
    as: "--dports 22,80:90",
    ...multiport,
    info: "Y2QWYwhgiGLACRhRuQA=",
    is: {
      kind: "port-list",
      side: "destination",
      ranges: [
        [22, 22],
        [80, 90],
      ],
      inverted: false,
    },
  },
  {
    as: "! --sports 1,2",
    ...multiport,
    info: "Y2BiZGBiIBowAgA=",
    is: {
      kind: "port-list",
      side: "source",
      ranges: [
        [1, 1],
        [2, 2],
      ],
      inverted: true,
    },
  },
  {
    as: "--ports 1,2",
    ...multiport,
    info: "Y2JiZGBiIB4AAA==",
    is: {
      kind: "port-list",
      side: "either",
      ranges: [
        [1, 1],
        [2, 2],
      ],
      inverted: false,
    },
  },
  {
    as: "--dst-type LOCAL",
    ...addrtype,
    info: "Y2BgYQABAA==",
    is: {
      kind: "address-type",
      source: 0,
      destination: 4,
      invertsSource: false,
      invertsDestination: false,
    },
  },
  {
    as: "! --src-type MULTICAST",
    ...addrtype,
    info: "U2BgYGBkYGAAAA==",
    is: {
      kind: "address-type",
      source: 32,
      destination: 0,
      invertsSource: true,
      invertsDestination: false,
    },
  },
  {
    as: "--dst-type LOCAL --limit-iface-in",
    ...addrtype,
    info: "Y2BgYWBhYGAAAA==",
    is: { kind: "other", name: "addrtype" },
  },
];

for (const { as, name, revision, info, is } of cases)
  test(`reads ${as}`, () => {
    assert.deepEqual(decodeXtMatch(name, revision, inflateRawSync(Buffer.from(info, "base64"))), is);
  });

test("reads ports of TCP and UDP", () => {
  const tcp = Uint8Array.of(1, 0, 2, 0, 3, 0, 3, 0, 0, 0, 0, 1);
  assert.deepEqual(decodeXtMatch("tcp", 0, tcp), {
    kind: "ports",
    protocol: 6,
    source: [1, 2],
    destination: [3, 3],
    invertsSource: true,
    invertsDestination: false,
    more: false,
  });
  const udp = Uint8Array.of(0, 0, 255, 255, 0x18, 0x21, 0x18, 0x21, 2, 0);
  assert.deepEqual(decodeXtMatch("udp", 0, udp), {
    kind: "ports",
    protocol: 17,
    source: [0, 65535],
    destination: [0x2118, 0x2118],
    invertsSource: false,
    invertsDestination: true,
    more: false,
  });
});

test("one that is not known keeps its name; one that is cut short or damaged is refused as such, or read as something", () => {
  assert.deepEqual(decodeXtMatch("policy", 0, new Uint8Array(8)), { kind: "other", name: "policy" });
  for (const { name, revision, info } of cases) {
    const whole = inflateRawSync(Buffer.from(info, "base64"));
    for (let i = 0; i < 500; i++) {
      const damaged = Uint8Array.from(whole.subarray(0, whole.length - (i % whole.length)));
      damaged[(i * 31) % damaged.length] = (i * 7) & 0xff;
      try {
        decodeXtMatch(name, (revision + i) % 4, damaged);
      } catch (error) {
        assert.ok(error instanceof WireError, `case ${i}: ${String(error)}`);
      }
    }
  }
});
