import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRecord } from "#wire/dns/zone-line";
import { openBench } from "../../fake/bench.ts";
import { Reply, type ReplyOptions } from "../../reply.ts";
import { classify, smallestTtl } from "./classify.ts";

const SOA = parseRecord("example. 30 IN SOA ns.example. h.example. 1 2 3 4 5");
const A = parseRecord("a.example. 60 IN A 10.0.0.1");
const kinds: readonly [string, ReplyOptions, number, string | undefined][] = [
  ["an answer", { answers: [A] }, 1, "success"],
  ["an answer of another type without SOA", { answers: [A] }, 28, undefined],
  [
    "an alias that ends in nothing",
    { answers: [parseRecord("a.example. 5 IN CNAME b.example.")], authority: [SOA] },
    1,
    "denial",
  ],
  ["no data", { authority: [SOA] }, 1, "denial"],
  ["no data without SOA", {}, 1, undefined],
  ["no name", { rcode: 3, authority: [SOA] }, 1, "denial"],
  ["no name without SOA", { rcode: 3 }, 1, undefined],
  ["no name with answers", { rcode: 3, answers: [A], authority: [SOA] }, 1, undefined],
  ["a failure", { rcode: 2 }, 1, "failure"],
  ["a refusal", { rcode: 5 }, 1, undefined],
  ["a cut reply", { answers: [A], isTruncated: true }, 1, undefined],
  ["a transfer", { answers: [A] }, 252, undefined],
];
for (const [what, options, type, want] of kinds) {
  test(`cache: ${what}`, () => assert.equal(classify(new Reply(options), type), want));
}

test("the smallest TTL of all sections counts", () => {
  assert.equal(smallestTtl(new Reply({ answers: [A], authority: [SOA] })), 30);
  assert.equal(smallestTtl(new Reply({})), undefined);
});

test("TTLs are clamped, equal, and count down; then the source is asked again", async () => {
  let nowMs = 1_000_000;
  const clock = { now: () => nowMs, sleep: () => new Promise<void>(() => {}) };
  const corefile = `.:53 {
    cache 30
    hosts /nonexistent {
      10.0.0.1 a.example
      ttl 300
      fallthrough
    }
  }`;
  await using bench = await openBench(corefile, { clock });
  const ttl = async () => (await bench.ask("a.example. A")).answers[0]?.split(" ")[1];
  assert.equal(await ttl(), "30");
  nowMs += 10_500;
  assert.equal(await ttl(), "20");
  nowMs += 19_000;
  assert.equal(await ttl(), "1");
  nowMs += 1000;
  assert.equal(await ttl(), "30");
  const page = bench.metrics.expose();
  assert.match(page, /coredns_cache_hits_total\{.*type="success"\} 2/);
  assert.match(page, /coredns_cache_misses_total\{.*\} 2/);
});

test("a name is found whatever its letter case", async () => {
  await using bench = await openBench(".:53 {\n cache\n hosts /nonexistent {\n 10.0.0.1 a.example\n }\n}");
  await bench.ask("a.example. A");
  const { answers } = await bench.ask("A.eXample. A");
  assert.deepEqual(answers, ["A.eXample. 3600 IN A 10.0.0.1"]);
});
