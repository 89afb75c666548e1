import assert from "node:assert/strict";
import { test } from "node:test";
import { openBench } from "../../fake/bench.ts";

test("ANY gets a HINFO, whoami tells the client itself", async () => {
  await using bench = await openBench(".:53 {\n any\n whoami\n}");
  assert.deepEqual((await bench.ask("x.example. ANY")).answers, [
    'x.example. 8482 IN HINFO "ANY obsoleted" "See RFC 8482"',
  ]);
  assert.deepEqual((await bench.ask("x.example. A")).additional, [
    "x.example. 0 IN A 10.42.0.9",
    "_udp.x.example. 0 IN SRV 0 0 4053 .",
  ]);
});
