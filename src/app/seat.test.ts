import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { takeSeat } from "./seat.ts";

test("a candidate has its predecessor's name, and never one of another that lives", async () => {
  const what = randomUUID();
  const first = await takeSeat(what);
  using second = await takeSeat(what);
  using other = await takeSeat(`${what} 2`);
  assert.equal(new Set([first, second, other].map(({ identity }) => identity)).size, 3);
  first[Symbol.dispose]();
  using next = await takeSeat(what);
  assert.equal(next.identity, first.identity);
});
