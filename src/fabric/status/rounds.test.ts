import assert from "node:assert/strict";
import { test } from "node:test";
import { RoundTally } from "./rounds.ts";

test("rounds are counted by what became of them", () => {
  const tally = new RoundTally();
  const [first, second] = [{}, {}];
  const fault = new Error("Cannot add route", { cause: new Error("no device") });
  assert.deepEqual(tally.status(), { total: 0, failed: 0, repairs: 0, lastSeconds: null, lastFaults: [] });
  tally.hear({ ops: 9, faults: [fault], ms: 12 }, first);
  assert.deepEqual(tally.status().lastFaults, ["Cannot add route: no device"]);
  tally.hear({ ops: 1, faults: [] }, first); // what had failed: no repair
  tally.hear({ ops: 0, faults: [] }, first);
  tally.hear({ ops: 2, faults: [] }, first); // somebody had taken it away
  tally.hear({ ops: 3, faults: [], ms: 2 }, second); // a node has joined
  assert.deepEqual(tally.status(), { total: 5, failed: 1, repairs: 1, lastSeconds: 0.002, lastFaults: [] });
});
