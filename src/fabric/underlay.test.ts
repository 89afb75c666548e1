import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf, parseCidr, parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import { observeUnderlays } from "./underlay.ts";

const CASES = [
  {
    family: 4,
    own: "192.0.2.10/24",
    lone: "192.0.2.10/32",
    network: "192.0.2.0/24",
    part: "192.0.2.128/25",
    gateway: "192.0.2.1",
    any: "0.0.0.0/0",
    far: "198.51.100.0/24",
  },
  {
    family: 6,
    own: "2001:db8::10/64",
    lone: "2001:db8::10/128",
    network: "2001:db8::/64",
    part: "2001:db8::8000/113",
    gateway: "2001:db8::1",
    any: "::/0",
    far: "2001:db8:ffff::/64",
  },
] as const;

for (const c of CASES) {
  const machine = (address: string) => {
    const kernel = openFakeKernel();
    const { index } = kernel.netlink.addLink({ kind: "bridge", name: "eth0", isUp: true });
    kernel.netlink.addAddress(index, parseIpPrefix(address), { noDad: true });
    const look = () => {
      const nodeIps = [addressOf(parseIpPrefix(address))];
      const { connected = [], routed = [] } = observeUnderlays(kernel.netlink, { nodeIps })[c.family] ?? {};
      return { connected: connected.filter((to) => !to.startsWith("fe80")), routed };
    };
    return { netlink: kernel.netlink, index, look };
  };

  test(`IPv${c.family}: an address's network is on the link, but for what a router has of it`, () => {
    const { netlink, index, look } = machine(c.own);
    assert.deepEqual(look(), { connected: [c.network], routed: [] });
    netlink.replaceRoute({ to: parseCidr(c.any), via: parseIp(c.gateway), link: index, protocol: 3 });
    netlink.replaceRoute({ to: parseCidr(c.far), via: parseIp(c.gateway), link: index, protocol: 3 });
    assert.deepEqual(look(), { connected: [c.network], routed: [] });
    netlink.replaceRoute({ to: parseCidr(c.part), via: parseIp(c.gateway), link: index, protocol: 3 });
    assert.deepEqual(look(), { connected: [c.network], routed: [c.part] });
  });

  test(`IPv${c.family}: an address by itself has no network, but for what a route without a gateway says`, () => {
    const { netlink, index, look } = machine(c.lone);
    netlink.replaceRoute({
      to: parseCidr(c.any),
      via: parseIp(c.gateway),
      link: index,
      onlink: true,
      protocol: 3,
    });
    assert.deepEqual(look().connected, [c.lone]);
    netlink.replaceRoute({ to: parseCidr(c.network), link: index, protocol: 3 });
    assert.deepEqual(look().connected, [c.lone, c.network]);
  });
}
