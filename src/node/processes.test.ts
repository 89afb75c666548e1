import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { childrenOf, listPids, namespaceOf, parentOf, programOf, variableOf, wordsOf } from "./processes.ts";

test("a process is what it was started as, and nothing once it has gone", async () => {
  const child = spawn("sleep", ["1000"], { argv0: "a ) name", env: { ...process.env, GREETING: "hello" } });
  await once(child, "spawn");
  const pid = child.pid ?? 0;
  assert.ok(listPids().includes(pid));
  assert.deepEqual(wordsOf(pid).slice(0, 2), ["a ) name", "1000"]);
  assert.equal(variableOf(pid, "GREETING"), "hello");
  assert.equal(variableOf(pid, "GREET"), undefined);
  assert.equal(parentOf(pid), process.pid);
  assert.ok(childrenOf(process.pid).includes(pid));
  assert.equal(namespaceOf(pid, "net"), namespaceOf("self", "net"));
  assert.notEqual(programOf(pid), "");
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.deepEqual(
    [listPids().includes(pid), wordsOf(pid), parentOf(pid), programOf(pid), namespaceOf(pid, "mnt")],
    [false, [""], undefined, "", undefined],
  );
});
