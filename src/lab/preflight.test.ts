import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeKernel, openFakeKernel } from "#kernel/fake/kernel";
import { checkBackend, checkMachine } from "./preflight.ts";

const PINS = "/run/twill/probing";

function complaint(kernel: FakeKernel): string {
  try {
    checkMachine(kernel, PINS);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    // The namespace it looked in is gone again, whatever it found.
    assert.throws(() => kernel.openNetns(`${PINS}/probe.net`), { code: "ENOENT" });
  }
}

test("a machine that has everything is good", () => assert.equal(complaint(openFakeKernel()), ""));

test("everything that is missing is named at once, with what it is for and what to do", () => {
  const kernel = openFakeKernel();
  kernel.fail("addLink", "EOPNOTSUPP", 3);
  kernel.fail("run", "ENOENT");
  kernel.fail("listFlows", "EPROTONOSUPPORT");
  kernel.fail("write", "ENOENT", 9);
  kernel.fail("loadModule", "ENOENT");
  const lines = complaint(kernel).split("\n");
  assert.equal(lines.shift(), "This machine lacks what a cluster needs:");
  for (const [i, feature] of [
    "bridges",
    "veth pairs",
    "vxlan",
    "nftables",
    "connection tracking",
    "IPv6",
  ].entries())
    assert.match(lines[i] ?? "", new RegExp(`^  ${feature}.* \\(to .*\\): Cannot .*\\. Try: `));
});

for (const [call, feature, fix] of [
  ["run", "nftables", "modprobe nf_tables"],
  ["listFlows", "connection tracking", "modprobe nf_conntrack"],
  ["write", "IPv6", "ipv6\\.disable"],
] as const) {
  test(`${call} refused is ${feature} missing, and nothing else`, () => {
    const kernel = openFakeKernel();
    kernel.fail(call, "EOPNOTSUPP");
    assert.match(
      complaint(kernel),
      new RegExp(`^This machine lacks.*\\n  ${feature}[^\\n]*Try: [^\\n]*${fix}[^\\n]*$`),
    );
  });
}

test("a machine that gives no namespaces says so first", () => {
  const kernel = openFakeKernel();
  kernel.fail("createNetns", "EPERM");
  assert.match(complaint(kernel), /^This machine lacks network namespaces .*--privileged$/);
});

test("a backend that this machine cannot have is told before anything is made", () => {
  const kernel = openFakeKernel();
  const asked = ["--flannel-backend=vxlan", "--flannel-backend=wireguard-native"];
  checkBackend(kernel, asked);
  kernel.wireguard.has = "none";
  checkBackend(kernel, asked.slice(0, 1));
  assert.throws(() => checkBackend(kernel, asked), /wireguard-native.*apt-get install wireguard-go/);
});
