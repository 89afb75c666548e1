import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr, parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import { openLog } from "#telemetry/log";
import { externalIpWarnings } from "./fabric-config.ts";
import { checkFlannelIface } from "./flannel-iface.ts";
import { fitNodeIps } from "./node-ips.ts";

const V4 = parseIp("192.0.2.1");
const V6 = parseIp("2001:db8::1");
const POD4 = parseCidr("10.42.0.0/16");
const POD6 = parseCidr("fd00:42::/56");

function openMachine(isUp: boolean, addresses: readonly string[]) {
  const { netlink } = openFakeKernel();
  const { index } = netlink.addLink({ kind: "bridge", name: "eth1", isUp });
  for (const address of addresses) netlink.addAddress(index, parseIpPrefix(address));
  return netlink;
}

const interfaces: readonly (readonly [
  says: string,
  netlink: ReturnType<typeof openMachine>,
  RegExp | undefined,
])[] = [
  ["with an address", openMachine(true, ["192.0.2.1/24"]), undefined],
  ["with several of IPv6", openMachine(true, ["2001:db8::1/64", "2001:db8::2/64"]), undefined],
  ["that is down", openMachine(false, ["192.0.2.1/24"]), /eth1: it is down; run: ip link set eth1 up/],
  ["without an address", openMachine(true, []), /eth1: it has no address that other nodes could reach/],
  [
    "with several of IPv4",
    openMachine(true, ["192.0.2.1/24", "192.0.2.2/24"]),
    /it has 2 IPv4 addresses, 192\.0\.2\.1, 192\.0\.2\.2; choose one with --node-ip/,
  ],
  ["that is not there", openFakeKernel().netlink, /eth1: there is none; this machine has lo/],
];
for (const [says, netlink, refusal] of interfaces) {
  test(`an interface ${says}`, () => {
    const check = () => checkFlannelIface(netlink, "eth1", { hasNodeIp: false });
    if (refusal) assert.throws(check, refusal);
    else check();
  });
}

test("several IPv4 addresses are no question where one was chosen", () => {
  checkFlannelIface(openMachine(true, ["192.0.2.1/24", "192.0.2.2/24"]), "eth1", { hasNodeIp: true });
});

function fit(ips: readonly ReturnType<typeof parseIp>[], cidrs: readonly (typeof POD4)[], isTold: boolean) {
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info" });
  const networks = { clusterCidrs: cidrs, serviceCidrs: [] };
  const fitted = fitNodeIps(ips, { node: { ips: isTold ? ips : undefined }, networks, log });
  return { fitted, said: lines.join("") };
}

test("the cluster's primary family comes first", () => {
  assert.deepEqual(fit([V4, V6], [POD6, POD4], true).fitted, [V6, V4]);
  assert.deepEqual(fit([V6, V4], [POD4], true).fitted, [V4, V6]);
  assert.deepEqual(fit([V4, V6], [POD4, POD6], true).fitted, [V4, V6]);
});

test("addresses that were told have to fit, those that were found may come later", () => {
  assert.throws(() => fit([V4], [POD4, POD6], true), /--node-ip: 192\.0\.2\.1 has no IPv6 address/);
  assert.throws(() => fit([V6], [POD4], true), /2001:db8::1 has no IPv4 address/);
  const { fitted, said } = fit([V4], [POD4, POD6], false);
  assert.deepEqual(fitted, [V4]);
  assert.match(said, /has no IPv6 address/);
});

test("an address inside the pods' network is warned of", () => {
  assert.match(fit([parseIp("10.42.3.1")], [POD4], false).said, /10\.42\.3\.1 is inside --cluster-cidr/);
});

const external = [
  { externalIps: [], backend: "wireguard-native", warns: [/has no --node-external-ip/] },
  { externalIps: [V4], backend: "wireguard-native", warns: [/--node-external-ip has no IPv6 address/] },
  { externalIps: [V4, V6], backend: "wireguard-native", warns: [] },
  {
    externalIps: [V4, V6],
    backend: "vxlan",
    warns: [/vxlan pods' packets cross the outer network unencrypted/],
  },
] as const;
for (const { externalIps, backend, warns } of external) {
  test(`--flannel-external-ip with ${backend} and ${externalIps.join(" ") || "no external address"}`, () => {
    const cluster = { flannelExternalIp: true, flannelBackend: backend, clusterCidrs: [POD4, POD6] };
    const warnings = externalIpWarnings({ externalIps }, cluster);
    assert.equal(warnings.length, warns.length, warnings.join("; "));
    for (const [i, warn] of warns.entries()) assert.match(warnings[i] ?? "", warn);
    assert.deepEqual(externalIpWarnings({ externalIps }, { ...cluster, flannelExternalIp: false }), []);
  });
}
