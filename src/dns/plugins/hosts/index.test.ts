import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openBench } from "../../fake/bench.ts";

const COREFILE = `.:53 {
  hosts /nonexistent example in-addr.arpa {
    10.0.0.1 one.example One.Alias.example # note
    fd00::1  one.example
    10.0.0.2 *.wild.example
    300.1.1.1 broken.example
    ttl 60
    fallthrough in-addr.arpa
  }
}`;
const rows: readonly [string, string, ...string[]][] = [
  ["one.example. A", "NOERROR", "one.example. 60 IN A 10.0.0.1"],
  ["ONE.example. AAAA", "NOERROR", "ONE.example. 60 IN AAAA fd00::1"],
  ["one.alias.example. A", "NOERROR", "one.alias.example. 60 IN A 10.0.0.1"],
  ["one.alias.example. AAAA", "NOERROR"],
  ["one.example. TXT", "NOERROR"],
  ["x.wild.example. A", "NOERROR", "x.wild.example. 60 IN A 10.0.0.2"],
  ["wild.example. A", "SERVFAIL"],
  ["broken.example. A", "SERVFAIL"],
  [
    "1.0.0.10.in-addr.arpa. PTR",
    "NOERROR",
    "1.0.0.10.in-addr.arpa. 60 IN PTR one.example.",
    "1.0.0.10.in-addr.arpa. 60 IN PTR one.alias.example.",
  ],
  ["9.0.0.10.in-addr.arpa. PTR", "SERVFAIL"],
  ["other. A", "SERVFAIL"],
];
for (const [question, rcode, ...answers] of rows) {
  test(`hosts: ${question}`, async () => {
    await using bench = await openBench(COREFILE);
    const got = await bench.ask(question);
    assert.equal(got.rcode, rcode);
    assert.deepEqual(got.answers, answers);
    if (rcode === "NOERROR") assert.deepEqual(got.authority, []);
  });
}

test("a changed file is read again", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "twill-hosts-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "NodeHosts");
  writeFileSync(file, "10.0.0.1 node-1\n");
  const wakes: (() => void)[] = [];
  const clock = { now: Date.now, sleep: () => new Promise<void>((resolve) => wakes.push(resolve)) };
  await using bench = await openBench(`.:53 {\n hosts ${file} {\n  reload 15s\n  fallthrough\n }\n}`, {
    clock,
  });
  assert.deepEqual((await bench.ask("node-1. A")).answers, ["node-1. 3600 IN A 10.0.0.1"]);
  writeFileSync(file, "10.0.0.1 node-1\n10.0.0.2 node-2\n");
  wakes.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual((await bench.ask("node-2. A")).answers, ["node-2. 3600 IN A 10.0.0.2"]);
});
