import assert from "node:assert/strict";
import { test } from "node:test";
import { errnoName, isTransient } from "./errno.ts";
import { asError, explain, Fault } from "./fault.ts";
import { SyscallFault } from "./kernel-fault.ts";

test("a fault is told with everything that caused it, each sentence once", () => {
  const inner = new SyscallFault("open", "/nowhere", 2);
  const outer = new Fault("BadFile", `Cannot read the file: ${inner.message}`, { cause: inner });
  assert.equal(explain(outer), "Cannot read the file: Cannot open /nowhere: not found");
  assert.equal(explain(new Fault("X", "one", { cause: new Error("two") })), "one: two");
  assert.equal(explain("text"), "text");
});

test("a chain of causes that bites its tail still ends", () => {
  const a = new Error("a");
  a.cause = a;
  assert.equal(explain(a), "a");
  assert.equal(isTransient(a), false);
});

test("whether to try again is asked of the error, through its causes", () => {
  assert.equal(
    isTransient(new Fault("Y", "y", { cause: Object.assign(new Error("x"), { code: "ECONNREFUSED" }) })),
    true,
  );
  assert.equal(isTransient(new SyscallFault("bind", "x", 98)), false);
  assert.equal(errnoName(-2), "ENOENT");
  assert.equal(errnoName(4242), "errno 4242");
  assert.equal(asError("x").message, "x");
});
