import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeGeneration } from "./nfnetlink-generation.ts";
import { WireError } from "./wire-error.ts";

/** nfgenmsg, then NFTA_GEN_ID 263 in network order. */
const ANSWER = Uint8Array.of(0, 0, 1, 7, 8, 0, 1, 0, 0, 0, 1, 7);

test("a generation is read", () => {
  assert.equal(decodeGeneration(ANSWER), 263);
});

test("cut short anywhere it is an error, never a number", () => {
  for (let length = 0; length < ANSWER.length; length++)
    assert.throws(() => decodeGeneration(ANSWER.subarray(0, length)), WireError, `${length} bytes`);
});
