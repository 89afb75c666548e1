import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { openFakeKernel } from "#kernel/fake/kernel";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import { keepForwarding } from "./keep-forwarding.ts";

async function eventually(check: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!check()) {
    assert.ok(Date.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test("what makes packets pass is switched on, again when somebody switches it off, and of no family that is not in use", async () => {
  const kernel = openFakeKernel();
  const stop = new AbortController();
  const clusterCidrs = [parseCidr("10.42.0.0/16")];
  const kept = keepForwarding({
    kernel,
    clusterCidrs,
    clock: systemClock,
    log: silentLog,
    signal: stop.signal,
  });
  const names = [
    "net/ipv4/conf/all/forwarding",
    "net/ipv4/conf/default/forwarding",
    "net/bridge/bridge-nf-call-iptables",
  ];
  for (const name of names) {
    await eventually(() => names.every((each) => kernel.sysctl.read(each) === "1"));
    kernel.foreign.sysctl.write(name, 0);
  }
  await eventually(() => names.every((name) => kernel.sysctl.read(name) === "1"));
  assert.equal(kernel.sysctl.read("net/ipv6/conf/all/forwarding"), "0");
  stop.abort(new Error("over"));
  await kept;
});
