import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr, parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import type { InterfaceChoice } from "./config/read-fabric-alone.ts";
import { findOuterInterface } from "./outer-interface.ts";

/** eth0 leads out; eth1 has an address of each family, and another; eth2 has none. */
function openMachine() {
  const { netlink } = openFakeKernel();
  const [eth0, eth1] = ["eth0", "eth1", "eth2"].map((name) =>
    netlink.addLink({ kind: "bridge", name, isUp: true }),
  );
  assert.ok(eth0 && eth1);
  netlink.addAddress(eth0.index, parseIpPrefix("192.0.2.1/24"));
  for (const address of ["198.51.100.1/24", "198.51.100.9/24", "2001:db8::1/64"])
    netlink.addAddress(eth1.index, parseIpPrefix(address));
  netlink.replaceRoute({ to: parseCidr("0.0.0.0/0"), via: parseIp("192.0.2.254"), link: eth0.index });
  return netlink;
}

const NONE: InterfaceChoice = { named: [], matching: [], canReach: undefined };
const cases: readonly (readonly [
  says: string,
  choice: Partial<InterfaceChoice>,
  name: string,
  ips: readonly string[],
])[] = [
  ["the default route's", {}, "eth0", ["192.0.2.1"]],
  ["by name", { named: ["eth1"] }, "eth1", ["198.51.100.1", "2001:db8::1"]],
  ["by address, which is then the one", { named: ["198.51.100.9"] }, "eth1", ["198.51.100.9", "2001:db8::1"]],
  ["the first that is there", { named: ["eth9", "eth1"] }, "eth1", ["198.51.100.1", "2001:db8::1"]],
  ["by a pattern of addresses", { matching: [/^2001:/] }, "eth1", ["198.51.100.1", "2001:db8::1"]],
  ["by a pattern of names", { matching: [/h0$/] }, "eth0", ["192.0.2.1"]],
  ["by a route", { canReach: parseIp("198.51.100.77") }, "eth1", ["198.51.100.1", "2001:db8::1"]],
];
for (const [says, choice, name, ips] of cases) {
  test(`the interface between nodes: ${says}`, () => {
    assert.deepEqual(findOuterInterface(openMachine(), { ...NONE, ...choice }), { name, ips });
  });
}

const refusals: readonly (readonly [choice: Partial<InterfaceChoice>, says: RegExp])[] = [
  [{ named: ["eth9"] }, /nothing is eth9 \(--iface, --iface-regex\); this machine has lo, eth0, eth1, eth2/],
  [{ named: ["eth2"] }, /Cannot use the interface eth2: it has no address/],
  [{ matching: [/wlan/] }, /nothing is \/wlan\//],
  [{ canReach: parseIp("2001:db8:9::1") }, /no route leads to 2001:db8:9::1/],
];
for (const [choice, says] of refusals) {
  test(`no interface between nodes: ${says}`, () => {
    assert.throws(() => findOuterInterface(openMachine(), { ...NONE, ...choice }), says);
  });
}

test("no default route and nothing named", () => {
  assert.throws(
    () => findOuterInterface(openFakeKernel().netlink, NONE),
    /there is no default route; name it with --iface/,
  );
});
