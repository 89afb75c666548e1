import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeState, ENDED, RUNNING, STATE, STATE_BYTES } from "./supervisor-state.ts";

function state(change: { phase: number; code?: number; status?: number }): Buffer {
  const bytes = Buffer.alloc(STATE_BYTES);
  for (const [at, value] of [
    [STATE.phase, change.phase],
    [STATE.supervisor, 10],
    [STATE.container, 11],
    [STATE.time, 1_700_000_000],
    [STATE.time + 8, 250_000_000],
  ] as const)
    bytes.writeBigUInt64LE(BigInt(value), at);
  bytes.writeInt32LE(change.code ?? 0, STATE.end + 8);
  bytes.writeInt32LE(change.status ?? 0, STATE.end + 24);
  return bytes;
}

test("what a supervisor says", () => {
  const pids = { supervisorPid: 10, containerPid: 11 };
  const finishedAtMs = 1_700_000_000_250;
  const cases = [
    { bytes: Buffer.alloc(0), says: { phase: "starting", supervisorPid: undefined } },
    { bytes: Buffer.alloc(STATE_BYTES), says: { phase: "starting", supervisorPid: undefined } },
    {
      bytes: state({ phase: RUNNING }).subarray(0, STATE_BYTES - 1),
      says: { phase: "starting", supervisorPid: undefined },
    },
    { bytes: state({ phase: 0 }), says: { phase: "starting", supervisorPid: 10 } },
    { bytes: state({ phase: RUNNING }), says: { phase: "running", ...pids } },
    {
      bytes: state({ phase: ENDED, code: 1, status: 3 }),
      says: { phase: "ended", ...pids, code: 3, signal: undefined, finishedAtMs },
    },
    {
      bytes: state({ phase: ENDED, code: 2, status: 9 }),
      says: { phase: "ended", ...pids, code: 137, signal: 9, finishedAtMs },
    },
    {
      bytes: state({ phase: ENDED, code: 3, status: 11 }),
      says: { phase: "ended", ...pids, code: 139, signal: 11, finishedAtMs },
    },
  ];
  for (const { bytes, says } of cases) assert.deepEqual(decodeState(bytes), says);
});

test("no bytes make reading it throw", () => {
  let seed = 1;
  const next = () => {
    seed = (seed * 48_271) % 0x7fffffff;
    return seed;
  };
  for (let i = 0; i < 2000; i++) {
    const bytes = Buffer.from(Array.from({ length: next() % 100 }, () => next() & 255));
    assert.ok(decodeState(bytes).phase);
  }
});
