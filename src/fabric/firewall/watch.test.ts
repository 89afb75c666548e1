import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { VXLAN } from "../model.ts";
import type { FirewallNode } from "./needs.ts";
import { FirewallWatch } from "./watch.ts";

const NODE: FirewallNode = {
  clusterCidrs: [parseCidr("10.42.0.0/16")],
  serviceCidrs: [],
  nodeIps: [parseIp("192.0.2.11")],
  peerIps: [],
  iface: undefined,
  backend: VXLAN,
  apiPort: undefined,
  kubeletPort: 10_250,
};
const DROP = "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; } }";

function start() {
  const kernel = openFakeKernel();
  const ns = kernel.createNetns("/run/netns/machine");
  const [own, other] = [kernel.openIn(ns), kernel.openIn(ns)];
  const lines: string[] = [];
  let looks = 0;
  let nowMs = 0;
  const watch = new FirewallWatch({
    kernel: {
      netlink: own.netlink,
      nft: own.nft,
      openFilters: () => {
        looks += 1;
        return own.openFilters();
      },
    },
    clock: { ...systemClock, now: () => nowMs },
    log: openLog({ write: (line) => void lines.push(line), level: "info" }),
    hints: () => ({ iptablesIsOld: false, hasCloudSetup: false }),
    node: () => NODE,
  });
  return {
    kernel,
    own,
    other,
    lines,
    lookAfter(ms: number) {
      nowMs += ms;
      watch.look();
      return looks;
    },
    watch,
  };
}

test("it looks when others changed the rules, and now and then anyway", () => {
  const { own, other, lookAfter } = start();
  assert.equal(lookAfter(0), 1);
  own.nft.run("add table ip twill-service");
  assert.equal(lookAfter(5_000), 1, "nobody else changed anything");
  other.nft.run("add table ip other");
  assert.equal(lookAfter(5_000), 2);
  assert.equal(lookAfter(30_000), 3);
});

test("what is in the way is told of once, and when it is gone", () => {
  const { other, lines, lookAfter, watch } = start();
  lookAfter(0);
  other.nft.run(DROP);
  lookAfter(5_000);
  assert.deepEqual(
    watch.findings.map(({ drops }) => drops),
    ["pods", "pods-out"],
  );
  lookAfter(60_000);
  assert.equal(lines.length, 2);
  assert.match(
    lines[0] ?? "",
    /iptables drops IPv4 traffic to pods.*iptables -I FORWARD -s 10\.42\.0\.0\/16/,
  );
  other.nft.run("delete table ip filter");
  lookAfter(5_000);
  assert.deepEqual(watch.findings, []);
  assert.equal(lines.filter((line) => line.includes("no more")).length, 2);
});

test("Twill's own tables are not looked at", () => {
  const { other, lookAfter, watch } = start();
  other.nft.run(DROP.replace("ip filter", "ip twill-service"));
  lookAfter(0);
  assert.deepEqual(watch.findings, []);
});

test("what cannot be read is told of once, and tried again", () => {
  const { kernel, other, lines, lookAfter, watch } = start();
  kernel.fail("listLinks", "EPERM", 2);
  lookAfter(0);
  lookAfter(5_000);
  assert.equal(lines.length, 1);
  other.nft.run(DROP);
  lookAfter(5_000);
  assert.equal(watch.findings.length, 2);
});
