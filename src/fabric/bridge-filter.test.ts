import assert from "node:assert/strict";
import { test } from "node:test";
import { openFakeKernel } from "#kernel/fake/kernel";
import { openLog } from "#telemetry/log";
import { BridgeFilter } from "./bridge-filter.ts";

function setUp(without: readonly "br_netfilter"[] = []) {
  const kernel = openFakeKernel({ without });
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info", now: () => 0 });
  return { kernel, lines, filter: new BridgeFilter(kernel, log) };
}

test("a kernel that filters bridged packets is left alone", () => {
  const { kernel, lines, filter } = setUp();
  filter.look();
  assert.equal(filter.isThere, true);
  assert.equal(kernel.calls.get("loadModule"), undefined);
  assert.deepEqual(lines, []);
});

test("a missing module is loaded", () => {
  const { lines, filter } = setUp(["br_netfilter"]);
  filter.look();
  assert.equal(filter.isThere, true);
  assert.match(lines.join("\n"), /INFO .*loaded kernel module br_netfilter/);
});

test("one that cannot be loaded is said once, with what to do; loaded by someone later it is taken up", () => {
  const { kernel, lines, filter } = setUp(["br_netfilter"]);
  kernel.fail("loadModule", "ENOENT");
  for (let look = 0; look < 3; look++) filter.look();
  assert.equal(filter.isThere, false);
  assert.equal(kernel.calls.get("loadModule"), 1);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /WARN .*endpoint is on their own node.*modprobe br_netfilter/);
  kernel.loadModule("br_netfilter");
  filter.look();
  assert.equal(filter.isThere, true);
  assert.equal(lines.length, 1);
});
