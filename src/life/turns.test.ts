import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "./turns.ts";

test("others have their turn when one has taken his, and not before", async () => {
  let others = 0;
  const other = setImmediate(() => others++);
  const patient = new Turns(60_000);
  for (let n = 0; n < 1_000; n++) await patient.rest();
  assert.equal(others, 0);
  const generous = new Turns(0);
  await generous.rest();
  await generous.rest();
  assert.equal(others, 1);
  clearImmediate(other);
});
