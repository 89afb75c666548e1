import assert from "node:assert/strict";
import { test } from "node:test";
import { openBench } from "../../fake/bench.ts";

test("every order of the addresses comes up, and none gets lost", async () => {
  const corefile =
    ".:53 {\n loadbalance\n cache\n hosts /nonexistent {\n 10.0.0.1 a.example\n 10.0.0.2 a.example\n 10.0.0.3 a.example\n }\n}";
  await using bench = await openBench(corefile);
  const orders = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const { answers } = await bench.ask("a.example. A");
    const ips = answers.map((line) => line.split(" ").at(-1));
    assert.deepEqual([...ips].sort(), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    orders.add(ips.join());
  }
  assert.equal(orders.size, 6);
});
