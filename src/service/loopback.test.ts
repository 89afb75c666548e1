import assert from "node:assert/strict";
import { test } from "node:test";
import { openFakeKernel } from "#kernel/fake/kernel";
import { closeLoopback, openLoopback } from "#kernel/loopback-guard";

const SETTING = "net/ipv4/conf/all/route_localnet";

test("loopback opens behind its guard, and is as it was when closed", () => {
  const kernel = openFakeKernel();
  assert.deepEqual(openLoopback(kernel), ["table ip twill-loopback", `${SETTING} = 1`]);
  assert.deepEqual(openLoopback(kernel), []);
  kernel.sysctl.write(SETTING, 0);
  assert.deepEqual(openLoopback(kernel), [`${SETTING} = 1`]);
  assert.deepEqual(closeLoopback(kernel), [`${SETTING} = 0`, "no table ip twill-loopback"]);
  assert.equal(kernel.sysctl.read(SETTING), "0");
  assert.deepEqual(closeLoopback(kernel), []);
});

test("what was open before us stays open after us", () => {
  const kernel = openFakeKernel();
  kernel.sysctl.write(SETTING, 1);
  openLoopback(kernel);
  kernel.nft.run("flush table ip twill-loopback");
  assert.deepEqual(openLoopback(kernel), ["table ip twill-loopback"]);
  assert.deepEqual(closeLoopback(kernel), ["no table ip twill-loopback"]);
  assert.equal(kernel.sysctl.read(SETTING), "1");
});

test("a guard that was taken away comes back with what it knew", () => {
  const kernel = openFakeKernel();
  const past = {};
  openLoopback(kernel, past);
  kernel.nft.run("delete table ip twill-loopback");
  openLoopback(kernel, past);
  closeLoopback(kernel);
  assert.equal(kernel.sysctl.read(SETTING), "0");
});

test("the setting is not written where the guard is refused, nor the guard taken where the setting is", () => {
  const kernel = openFakeKernel();
  kernel.fail("run", "EPERM");
  assert.throws(() => openLoopback(kernel), { code: "EPERM" });
  assert.equal(kernel.sysctl.read(SETTING), "0");
  openLoopback(kernel);
  kernel.fail("write", "EACCES");
  assert.throws(() => closeLoopback(kernel), { code: "EACCES" });
  assert.match(kernel.nft.list("list table ip twill-loopback"), /from-outside/);
});
