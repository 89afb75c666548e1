import assert from "node:assert/strict";
import { test } from "node:test";
import dnsPacket from "dns-packet";
import { WireError } from "../wire-error.ts";
import { decodeMessage } from "./message.ts";
import { Packer, QUESTION_NAME_AT } from "./packer.ts";
import { readQuestion, readRequestRecords } from "./query.ts";
import type { ResourceRecord } from "./record.ts";
import { formatRecord, parseRecord } from "./zone-line.ts";

const LINES = [
  "web.default.svc.cluster.local. 5 IN A 10.43.0.9",
  "web.default.svc.cluster.local. 5 IN AAAA fd43::9",
  "_http._tcp.web.default.svc.cluster.local. 5 IN SRV 0 50 80 web.default.svc.cluster.local.",
  "9.0.43.10.in-addr.arpa. 5 IN PTR web.default.svc.cluster.local.",
  "alias.default.svc.cluster.local. 5 IN CNAME example.com.",
  "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1700000000 7200 1800 86400 5",
  "cluster.local. 5 IN NS ns.dns.cluster.local.",
  'dns-version.cluster.local. 28800 IN TXT "1.1.0"',
  'any.example. 8482 IN HINFO "ANY obsoleted" "See RFC 8482"',
  "mail.example. 60 IN MX 10 mx.mail.example.",
  "odd.example. 60 IN TYPE731 \\# 3 010203",
];

for (const line of LINES) {
  test(`record ${line} survives text and wire`, () => {
    const record = parseRecord(line);
    assert.equal(formatRecord(record), line);
    const [back] = decodeMessage(messageOf(record.owner, [record])).answers;
    assert.ok(back);
    assert.equal(formatRecord(back), line);
  });
}

test("our messages read the same in dns-packet", () => {
  const records = LINES.slice(0, 8).map(parseRecord);
  const message = messageOf("web.default.svc.cluster.local.", records);
  const { questions, answers } = dnsPacket.decode(message);
  assert.equal(questions?.[0]?.name, "web.default.svc.cluster.local");
  const shown = (answers ?? []).map((answer) => ("data" in answer ? [answer.type, answer.data] : []));
  assert.deepEqual(shown[0], ["A", "10.43.0.9"]);
  assert.deepEqual(shown[1], ["AAAA", "fd43::9"]);
  assert.deepEqual(shown[2], [
    "SRV",
    { priority: 0, weight: 50, port: 80, target: "web.default.svc.cluster.local" },
  ]);
  assert.deepEqual(shown[3], ["PTR", "web.default.svc.cluster.local"]);
});

test("what dns-packet writes, we read", () => {
  const bytes = dnsPacket.encode({
    type: "response",
    id: 9,
    flags: dnsPacket.AUTHORITATIVE_ANSWER,
    questions: [{ type: "A", name: "a.example" }],
    answers: [{ type: "MX", name: "a.example", ttl: 3, data: { preference: 5, exchange: "b.example" } }],
    additionals: [
      {
        type: "OPT",
        name: ".",
        udpPayloadSize: 1232,
        flags: dnsPacket.DNSSEC_OK,
        extendedRcode: 1,
        ednsVersion: 0,
        flag_do: true,
        options: [],
      },
    ],
  });
  const message = decodeMessage(bytes);
  assert.deepEqual(message.answers.map(formatRecord), ["a.example. 3 IN MX 5 b.example."]);
  assert.equal(message.edns?.udpBytes, 1232);
  assert.equal(message.edns?.wantsDnssec, true);
  assert.equal(message.rcode, 16);
});

test("names are compressed against the question, a zone, and each other", () => {
  const records = ["a.x.example. 5 IN A 10.0.0.1", "b.x.example. 5 IN CNAME a.x.example."].map(parseRecord);
  const bytes = messageOf("a.x.example.", records);
  // Two bytes for the owner of the first, four for `b` and the rest, two for the alias's target.
  assert.equal(bytes.length, 12 + 13 + 4 + (2 + 10 + 4) + (4 + 10 + 2));
  const packer = new Packer(29);
  packer.know("a.x.example.", QUESTION_NAME_AT, "example.");
  packer.writeRecord(parseRecord("a.x.example. 5 IN A 10.0.0.1"));
  assert.equal(packer.bytes().length, 6 + 10 + 4);
});

test("no bytes make a decoder do anything but refuse", () => {
  const random = seeded(42);
  const seeds = LINES.map((line) =>
    messageOf(parseRecord(line).owner, [parseRecord(line), parseRecord(line)]),
  );
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(seeds[round % seeds.length] ?? "");
    for (let i = 0; i < 1 + (round % 4); i++)
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    const cut = bytes.subarray(0, Math.floor(random() * (bytes.length + 8)));
    for (const decode of [decodeMessage, (b: Buffer) => readRequestRecords(b, readQuestion(b).end)]) {
      try {
        if (cut.length >= 12) decode(cut);
      } catch (error) {
        assert.ok(error instanceof WireError, `round ${round}: ${String(error)}`);
      }
    }
  }
});

function messageOf(name: string, records: readonly ResourceRecord[]): Buffer {
  const head = dnsPacket.encode({
    type: "response",
    id: 1,
    questions: [{ type: "A", name: name.slice(0, -1) }],
  });
  head.writeUInt16BE(records.length, 6);
  const packer = new Packer(head.length);
  packer.know(name, QUESTION_NAME_AT);
  for (const record of records) packer.writeRecord(record);
  return Buffer.concat([head, packer.bytes()]);
}

/** A linear congruential generator: the same rounds in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
