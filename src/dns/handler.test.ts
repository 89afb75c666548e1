import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage } from "#wire/dns/message";
import { rcodeName } from "#wire/dns/numbers";
import { openBench } from "./fake/bench.ts";
import type { Peer } from "./query.ts";

const COREFILE = `.:53 {
  hosts /nonexistent {
    10.0.0.1 one.example
    ${Array.from({ length: 200 }, (_, i) => `10.0.${1 + (i >> 7)}.${i & 127} many.example`).join("\n    ")}
    fallthrough
  }
}`;
const UDP: Peer = { protocol: "udp", address: "127.0.0.1", port: 1, localAddress: "" };
const TCP: Peer = { ...UDP, protocol: "tcp" };
const NAME = "036f6e65076578616d706c6500"; // one.example.
const MANY = "046d616e79076578616d706c6500";
const OPT = (size: string, rest = "00000000") => `000029${size}${rest}0000`;

/** Header fields after the id: flags, and the four counts; then the body. */
const q = (flags: string, counts: string, body: string) => Buffer.from(`0007${flags}${counts}${body}`, "hex");
const ONE = "0001000000000000";
const WITH_OPT = "0001000000000001";
const question = `${NAME}00010001`;

const cases: readonly [what: string, request: Buffer, want: string][] = [
  ["a plain question", q("0100", ONE, question), "NOERROR qr aa rd, 1 answers, no opt"],
  ["a short datagram", Buffer.from("00070100", "hex"), "silence"],
  ["a reply", q("8100", ONE, question), "silence"],
  ["no question", q("0100", "0000000000000000", ""), "FORMERR"],
  ["two questions", q("0100", "0002000000000000", question + question), "FORMERR"],
  ["two answers", q("0100", "0001000200000000", question), "FORMERR"],
  ["three additional records", q("0100", "0001000000000003", question), "FORMERR"],
  ["a cut question", q("0100", ONE, NAME), "FORMERR"],
  ["a pointer for a name", q("0100", ONE, "c00c00010001"), "FORMERR"],
  ["a missing record", q("0100", WITH_OPT, question), "FORMERR"],
  ["opcode 15", q("7800", ONE, question), "NOTIMP"],
  ["class CH", q("0100", ONE, `${NAME}00100003`), "REFUSED"],
  ["EDNS", q("0100", WITH_OPT, question + OPT("04d0")), "NOERROR qr aa rd, 1 answers, opt 1232"],
  [
    "EDNS with DO",
    q("0100", WITH_OPT, question + OPT("04d0", "00008000")),
    "NOERROR qr aa rd, 1 answers, opt 1232 do",
  ],
  [
    "EDNS with unknown flags",
    q("0100", WITH_OPT, question + OPT("04d0", "00000080")),
    "NOERROR qr aa rd, 1 answers, opt 1232",
  ],
  ["EDNS version 1", q("0100", WITH_OPT, question + OPT("04d0", "00010000")), "BADVERS"],
  ["two OPT records", q("0100", "0001000000000002", question + OPT("04d0") + OPT("04d0")), "FORMERR"],
  ["an option cut off", q("0100", WITH_OPT, `${question}00002904d000000000000300640001`), "FORMERR"],
  [
    "an unknown option",
    q("0100", WITH_OPT, `${question}00002904d000000000000400640000`),
    "NOERROR qr aa rd, 1 answers, opt 1232",
  ],
  ["an unknown name", q("0100", ONE, `03${"7a".repeat(3)}0000010001`), "SERVFAIL"],
  ["the CD, AD and Z bits", q("0170", ONE, question), "NOERROR qr aa rd cd, 1 answers, no opt"],
];

for (const [what, request, want] of cases) {
  test(`handler: ${what}`, async () => {
    await using bench = await openBench(COREFILE);
    const bytes = await bench.answer(request, UDP);
    assert.equal(bytes === undefined ? "silence" : shown(bytes, want), want);
    if (bytes !== undefined) assert.equal(bytes.readUInt16BE(0), 7);
  });
}

function shown(bytes: Buffer, want: string): string {
  const flags = bytes.readUInt16BE(2);
  if (bytes.readUInt16BE(4) === 0) return rcodeName(flags & 15);
  const { rcode, answers, edns } = decodeMessage(bytes);
  if (!want.includes(" ")) return rcodeName(rcode);
  const bits = [
    [0x8000, "qr"],
    [0x400, "aa"],
    [0x200, "tc"],
    [0x100, "rd"],
    [0x80, "ra"],
    [0x40, "z"],
    [0x20, "ad"],
    [0x10, "cd"],
  ] as const;
  const names = bits.filter(([bit]) => flags & bit).map(([, name]) => name);
  const opt = edns ? `opt ${edns.udpBytes}${edns.wantsDnssec ? " do" : ""}` : "no opt";
  return `${rcodeName(rcode)} ${names.join(" ")}, ${answers.length} answers, ${opt}`;
}

test("the question comes back as it was asked, letter case and all", async () => {
  await using bench = await openBench(COREFILE);
  const request = q("0100", ONE, "034f6e45074578416d506c450000010001");
  const bytes = await bench.answer(request, UDP);
  assert.ok(bytes);
  assert.deepEqual(bytes.subarray(12, request.length), request.subarray(12));
});

const sizes: readonly [what: string, request: Buffer, peer: Peer, limit: number, isCut: boolean][] = [
  ["UDP", q("0100", ONE, `${MANY}00010001`), UDP, 512, true],
  ["UDP with EDNS 1232", q("0100", WITH_OPT, `${MANY}00010001${OPT("04d0")}`), UDP, 1232, true],
  ["UDP with EDNS 4096", q("0100", WITH_OPT, `${MANY}00010001${OPT("1000")}`), UDP, 4096, false],
  ["UDP with EDNS 100", q("0100", WITH_OPT, `${MANY}00010001${OPT("0064")}`), UDP, 512, true],
  ["TCP", q("0100", ONE, `${MANY}00010001`), TCP, 65_535, false],
];
for (const [what, request, peer, limit, isCut] of sizes) {
  test(`two hundred addresses over ${what}`, async () => {
    await using bench = await openBench(COREFILE);
    const bytes = await bench.answer(request, peer);
    assert.ok(bytes && bytes.length <= limit);
    const { answers, edns, flags } = decodeMessage(bytes);
    assert.equal((flags & 0x200) !== 0, isCut);
    assert.equal(answers.length === 200, !isCut);
    assert.ok(answers.length > 20);
    assert.equal(edns !== undefined, request.readUInt16BE(10) === 1);
  });
}

test("no request makes the handler throw, and every reply can be read", async () => {
  await using bench = await openBench(COREFILE);
  const seeds = cases.map(([, request]) => request).filter((request) => request.length >= 12);
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 20_000; round++) {
    const request = Buffer.from(seeds[random(seeds.length)] ?? "");
    for (let i = random(4); i >= 0; i--) request[2 + random(request.length - 2)] = random(256);
    const bytes = await bench.answer(request.subarray(0, request.length - random(3)), random(2) ? UDP : TCP);
    if (bytes === undefined) continue;
    assert.equal(bytes.readUInt16BE(0), 7);
    if (bytes.readUInt16BE(4) === 1) decodeMessage(bytes);
  }
});
