import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { wireguardContract } from "../../../test/contract/wireguard.contract.ts";
import { openFakeKernel } from "./kernel.ts";
import type { FakeCarrier } from "./wireguard.ts";

function openWorld(has: FakeCarrier) {
  const kernel = openFakeKernel();
  kernel.wireguard.has = has;
  return { kernel, [Symbol.dispose]() {} };
}

for (const has of ["kernel", "userspace"] as const)
  describe(`the fake kernel's WireGuard, carried by ${has}`, () => {
    wireguardContract(() => openWorld(has));
  });

test("a machine without WireGuard is told what to install", () => {
  const { kernel } = openWorld("none");
  assert.throws(() => kernel.wireguard.start("flannel-wg"), {
    code: "NoWireguard",
    message: /apt-get install wireguard-go/,
  });
  kernel.wireguard.has = "kernel";
  kernel.wireguard.start("flannel-wg");
  assert.ok(kernel.wireguard.read("flannel-wg"));
});
