import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import type { FabricReady } from "#fabric/model";
import { openFakeKernel } from "#kernel/fake/kernel";
import { silentLog } from "#telemetry/log";
import { PodNetworkFollower } from "./pod-network.ts";

const ground = (subnet: number, mtuBytes = 1450): FabricReady => ({
  podCidrs: [parseCidr(`10.42.${subnet}.0/24`), parseCidr(`fd42:0:0:${subnet}::/64`)],
  mtuBytes,
});

function setUp(t: TestContext, clusterCidrs = ["fd42::/56", "10.42.0.0/16"]) {
  const kernel = openFakeKernel();
  const ipamDir = mkdtempSync(join(tmpdir(), "twill-pods-"));
  t.after(() => rmSync(ipamDir, { recursive: true }));
  const cidrs = clusterCidrs.map((text) => parseCidr(text));
  const follower = new PodNetworkFollower({
    kernel,
    bridge: "cni0",
    clusterCidrs: cidrs,
    ipamDir,
    log: silentLog,
  });
  const add = async (containerId: string) => {
    const netns = kernel.createNetns(`/run/netns/${containerId}`);
    return (await follower.opened).add({ containerId, ifname: "eth0", netns });
  };
  return { kernel, follower, add };
}

test("pods get the cluster's primary family first, whatever order the fabric tells", async (t) => {
  const { follower, add } = setUp(t);
  follower.follow(ground(3));
  assert.deepEqual((await add("a")).ips, ["fd42:0:0:3::2/64", "10.42.3.2/24"]);
});

test("a network that could not be opened is opened at the next word", async (t) => {
  const { kernel, follower, add } = setUp(t);
  kernel.fail("addLink", "ENOMEM");
  assert.throws(() => follower.follow(ground(3)));
  follower.follow(ground(3));
  assert.equal((await add("a")).ips.length, 2);
});

test("whoever has the network follows with it to another subnet and MTU", async (t) => {
  const { kernel, follower, add } = setUp(t);
  follower.follow(ground(3));
  const before = await follower.opened;
  await add("a");
  follower.follow(ground(7, 1430));
  assert.equal(await follower.opened, before);
  assert.deepEqual((await add("b")).ips, ["fd42:0:0:7::2/64", "10.42.7.2/24"]);
  assert.match(kernel.render(), /link cni0 bridge up mtu 1430/);
});
