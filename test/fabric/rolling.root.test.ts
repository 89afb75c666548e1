import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LINGER_MS } from "#fabric/linger";
import { HOST_GW, VXLAN, WIREGUARD } from "#fabric/model";
import { eventually } from "./machines.ts";
import { assertNothingLost, DEVICES, RollingCluster } from "./rolling.ts";

const cluster = new RollingCluster("roll");
after(() => cluster[Symbol.asyncDispose]());

before(async () => {
  for (const name of ["one", "two", "three"]) await cluster.add(name, VXLAN);
});

for (const [from, to] of [
  [VXLAN, WIREGUARD],
  [WIREGUARD, HOST_GW],
  [HOST_GW, VXLAN],
] as const)
  test(`from ${from.kind} to ${to.kind}, node by node: not one packet is lost`, async () => {
    await cluster.settled(from.kind);
    await using traffic = await cluster.talk();
    for (const node of cluster.nodes) await cluster.restart(node, to);
    await cluster.settled(to.kind);
    // Nobody has needed them for a moment; still they stand.
    for (const { machine } of cluster.nodes)
      for (const device of DEVICES[from.kind]) assert.ok(machine.kernel.netlink.findLink(device), device);
    cluster.letPass(LINGER_MS);
    for (const { machine } of cluster.nodes) {
      const { netlink, sysctl } = machine.kernel;
      for (const device of DEVICES[from.kind].filter((name) => name !== "eth0"))
        await eventually(`${machine.name} has no ${device}`, () => !netlink.findLink(device));
      await eventually(
        `${machine.name}'s eth0 is strict again`,
        () => sysctl.read("net/ipv4/conf/eth0/rp_filter") === "1",
      );
    }
    await assertNothingLost(traffic, 12);
  });

test("to DirectRouting, node by node: not one packet is lost, and the tunnels stay for those who need them", async () => {
  await cluster.settled("vxlan");
  await using traffic = await cluster.talk();
  for (const node of cluster.nodes) await cluster.restart(node, { ...VXLAN, directRouting: true });
  await cluster.settled("host-gw");
  for (const { machine } of cluster.nodes) {
    const { netlink, sysctl } = machine.kernel;
    for (const device of DEVICES.vxlan) assert.ok(netlink.findLink(device));
    assert.equal(sysctl.read("net/ipv4/conf/eth0/rp_filter"), "2");
  }
  await assertNothingLost(traffic, 12);
});
