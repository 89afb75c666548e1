import assert from "node:assert/strict";
import { test } from "node:test";
import { openFakeKernel } from "#kernel/fake/kernel";
import { openLoopback } from "#kernel/loopback-guard";
import { retireServices } from "./retire.ts";

test("what an earlier run left goes, and nobody else's tables", () => {
  const kernel = openFakeKernel();
  for (const table of ["ip twill-service", "ip6 twill-service", "ip kube-proxy", "inet twill-fabric"])
    kernel.nft.run(`add table ${table}`);
  openLoopback(kernel);
  assert.deepEqual(retireServices(kernel), [
    "net/ipv4/conf/all/route_localnet = 0",
    "no table ip twill-loopback",
    "no table ip twill-service",
    "no table ip6 twill-service",
  ]);
  assert.equal(kernel.nft.list("list tables"), "table ip kube-proxy\ntable inet twill-fabric\n");
  assert.deepEqual(retireServices(kernel), []);
});

test("one family's alone, and a refusal is thrown", () => {
  const kernel = openFakeKernel();
  kernel.nft.run("add table ip6 twill-service");
  kernel.fail("run", "EPERM");
  assert.throws(() => retireServices(kernel), { code: "EPERM" });
  assert.deepEqual(retireServices(kernel), ["no table ip6 twill-service"]);
});
