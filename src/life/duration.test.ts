import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "./duration.ts";

const cases: readonly [string, number | undefined][] = [
  ["15s", 15_000],
  ["1m30s", 90_000],
  ["1h", 3_600_000],
  ["250ms", 250],
  ["1.5s", 1500],
  [".5s", 500],
  ["-2s", -2000],
  ["0", 0],
  ["5", undefined],
  ["", undefined],
  ["s", undefined],
  ["5 s", undefined],
  ["1d", undefined],
];
for (const [text, want] of cases) {
  test(`duration ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), want));
}
