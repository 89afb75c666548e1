import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCidr, parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { kernelContract } from "../../../test/contract/kernel.contract.ts";
import { probeContract } from "../../../test/contract/probe.contract.ts";
import { openFakeKernel } from "./kernel.ts";

describe("the fake kernel does what every kernel does", () => {
  const openWorld = () => ({
    kernel: openFakeKernel(),
    path: (name: string) => `/run/netns/${name}`,
    [Symbol.dispose]() {},
  });
  kernelContract(openWorld);
  probeContract(openWorld);
});

describe("the fake kernel's switches", () => {
  test("an injected refusal comes as often as asked and changes nothing", () => {
    const kernel = openFakeKernel();
    kernel.fail("addLink", "EBUSY", 2);
    const add = () => kernel.netlink.addLink({ kind: "bridge", name: "cni0" });
    assert.throws(add, { code: "EBUSY" });
    assert.throws(add, { code: "EBUSY" });
    assert.equal(kernel.netlink.listLinks().length, 1);
    add();
    assert.equal(kernel.calls.get("addLink"), 3);
  });

  test("a world prints as sorted lines", () => {
    const kernel = openFakeKernel();
    const { index } = kernel.netlink.addLink({ kind: "bridge", name: "cni0", isUp: true });
    kernel.netlink.addAddress(index, parseIpPrefix("10.42.0.1/24"));
    kernel.netlink.replaceRoute({ to: parseCidr("10.42.3.0/24"), via: parseIp("10.42.0.7"), link: index });
    kernel.sysctl.write("net.ipv4.ip_forward", 1);
    assert.equal(
      kernel.render(),
      [
        "link cni0 bridge up mtu 1500",
        "link lo up mtu 65536",
        "address 10.42.0.1/24 dev cni0",
        "route 10.42.0.0/24 dev cni0 proto 2",
        "route 10.42.3.0/24 via 10.42.0.7 dev cni0 proto 84",
        "sysctl net/ipv4/ip_forward = 1",
        "",
      ].join("\n"),
    );
  });

  test("transactions are kept as they were written", () => {
    const { nft } = openFakeKernel();
    nft.run("add table ip twill\n");
    assert.throws(() => nft.run("add chain ip other c\n"));
    assert.deepEqual(nft.transactions, ["add table ip twill\n"]);
  });
});
