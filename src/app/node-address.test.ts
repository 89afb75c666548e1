import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr, parseIpPrefix } from "#addr/cidr";
import { familyOf, parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import type { Address } from "#kernel/kernel";
import { chooseAddress, findNodeIps } from "./node-address.ts";

type Mark = NonNullable<Address["marks"]>[number];
const LINK = 2;

/** `198.51.100.7/24 dynamic secondary` */
function address(text: string): Address {
  const [prefix = "", ...marks] = text.split(" ");
  return {
    link: LINK,
    address: parseIpPrefix(prefix),
    scope: "global",
    ...(marks.length > 0 ? { marks: marks as Mark[] } : {}),
  };
}

const CASES: readonly {
  readonly name: string;
  readonly has: readonly string[];
  readonly is: string | undefined;
  readonly standing?: string;
  readonly hint?: string;
}[] = [
  { name: "the first of equals", has: ["192.0.2.9/24", "198.51.100.9/24"], is: "192.0.2.9" },
  {
    name: "one for good before one from DHCP",
    has: ["192.0.2.9/24 dynamic", "198.51.100.9/24"],
    is: "198.51.100.9",
  },
  {
    name: "the link's own before a floating one of its network",
    has: ["192.0.2.9/24 dynamic", "192.0.2.100/24 secondary"],
    is: "192.0.2.9",
  },
  {
    name: "a network's address before a floating one on its own",
    has: ["192.0.2.100/32", "192.0.2.9/24 dynamic"],
    is: "192.0.2.9",
  },
  {
    name: "one on its own where there is nothing else, as some clouds have it",
    has: ["192.0.2.9/32 dynamic"],
    is: "192.0.2.9",
  },
  {
    name: "what the default route says",
    has: ["192.0.2.9/24", "198.51.100.9/24"],
    hint: "198.51.100.9",
    is: "198.51.100.9",
  },
  {
    name: "what the default route says, if it is here",
    has: ["192.0.2.9/24"],
    hint: "203.0.113.1",
    is: "192.0.2.9",
  },
  {
    name: "what the node goes by before all",
    has: ["192.0.2.9/24", "192.0.2.7/32 dynamic"],
    hint: "192.0.2.9",
    standing: "192.0.2.7",
    is: "192.0.2.7",
  },
  { name: "another one once that is gone", has: ["192.0.2.9/24"], standing: "192.0.2.7", is: "192.0.2.9" },
  {
    name: "a lasting one before one made up for privacy",
    has: ["2001:db8::a/64 dynamic temporary", "2001:db8::b/64 dynamic"],
    is: "2001:db8::b",
  },
  {
    name: "one of the network before one from DHCPv6",
    has: ["2001:db8::d/128 dynamic", "2001:db8::b/64 dynamic"],
    is: "2001:db8::b",
  },
  {
    name: "a new prefix's before the old one's",
    has: ["2001:db8:1::a/64 dynamic deprecated", "2001:db8:2::a/64 dynamic"],
    standing: "2001:db8:1::a",
    is: "2001:db8:2::a",
  },
  {
    name: "a deprecated one rather than none",
    has: ["2001:db8:1::a/64 dynamic deprecated"],
    is: "2001:db8:1::a",
  },
  {
    name: "none that somebody else may have",
    has: ["2001:db8::a/64 tentative", "2001:db8::b/64 duplicate"],
    is: undefined,
  },
  { name: "none that is for this link only", has: ["fe80::1/64", "169.254.1.1/16"], is: undefined },
];
for (const { name, has, standing, hint, is } of CASES)
  test(`the address of a node is ${name}`, () => {
    const family = familyOf(is ?? "::");
    const found = chooseAddress(has.map(address), {
      family,
      link: LINK,
      standing: standing === undefined ? [] : [parseIp(standing)],
      hint: hint === undefined ? undefined : parseIp(hint),
    });
    assert.equal(found, is);
  });

test("both families are looked for on the link of the default route, or on their own links, or on the named one", () => {
  const { netlink } = openFakeKernel();
  const add = (name: string, ...addresses: readonly string[]) => {
    const { index } = netlink.addLink({ kind: "bridge", name, isUp: true });
    for (const each of addresses) netlink.addAddress(index, parseIpPrefix(each));
    return index;
  };
  assert.throws(() => findNodeIps(netlink, { iface: undefined }), /no default route; name it with --node-ip/);
  const eth0 = add("eth0", "192.0.2.1/24", "2001:db8::1/64");
  const eth1 = add("eth1", "198.51.100.1/24", "2001:db8:1::1/64");
  // As wg-quick(8) makes it, for all packets but its own.
  const vpn = add("vpn", "203.0.113.1/24");
  netlink.replaceRoute({ to: parseCidr("0.0.0.0/0"), link: vpn, table: 51_820 });
  netlink.replaceRoute({ to: parseCidr("0.0.0.0/0"), via: parseIp("192.0.2.254"), link: eth0 });
  assert.deepEqual(findNodeIps(netlink, { iface: undefined }), ["192.0.2.1", "2001:db8::1"]);
  netlink.replaceRoute({ to: parseCidr("::/0"), via: parseIp("2001:db8:1::ff"), link: eth1 });
  assert.deepEqual(findNodeIps(netlink, { iface: undefined }), ["192.0.2.1", "2001:db8:1::1"]);
  assert.deepEqual(findNodeIps(netlink, { iface: "eth1" }), ["198.51.100.1", "2001:db8:1::1"]);
  assert.throws(() => findNodeIps(netlink, { iface: "eth7" }), /there is no interface eth7/);
});
