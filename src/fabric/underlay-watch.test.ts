import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr, parseIpPrefix } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import { always } from "#life/live";
import { silentLog } from "#telemetry/log";
import { type FabricConfig, VXLAN } from "./model.ts";
import { UnderlayWatch } from "./underlay-watch.ts";

const IP = parseIp("192.0.2.10");
const CONFIG: FabricConfig = {
  clusterCidrs: [parseCidr("10.42.0.0/16")],
  nodeIps: [IP],
  backend: VXLAN,
  guard: true,
  masquerade: {},
  subnetFile: "/run/flannel/subnet.env",
};

test("a link that loses the node's address keeps its tunnel, and is told of until the address is back", () => {
  const { netlink } = openFakeKernel();
  const { index } = netlink.addLink({ kind: "bridge", name: "eth0", mtuBytes: 1500, isUp: true });
  const address = parseIpPrefix(`${IP}/24`);
  netlink.addAddress(index, address);
  const watch = new UnderlayWatch({ netlink, config: CONFIG, nodeIps: always([IP]), log: silentLog });
  const look = () => [watch.look()[4]?.local, watch.away.map(({ name, local }) => [name, local])];
  assert.deepEqual(look(), [IP, []]);
  netlink.deleteAddress(index, address);
  assert.deepEqual(look(), [IP, [["eth0", IP]]]);
  netlink.addAddress(index, address);
  assert.deepEqual(look(), [IP, []]);
});
