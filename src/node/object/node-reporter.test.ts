import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ip, parseIp } from "#addr/ip";
import { openEventRecorder } from "#kube/event-recorder";
import { openFakeClient } from "#kube/fake/client";
import type { NodeAddress, ObjectMeta } from "#kube/generated/types";
import { NODES } from "#kube/resources";
import { HandClock } from "#life/testing/hand-clock";
import { silentLog } from "#telemetry/log";
import type { NodeMarks } from "./desired-node.ts";
import { NodeReporter } from "./node-reporter.ts";

const V4 = parseIp("192.0.2.1");
const MOVED = parseIp("192.0.2.9");
const THEIRS: readonly NodeAddress[] = [
  { type: "ExternalIP", address: "203.0.113.1" },
  { type: "InternalIP", address: "192.0.2.1" },
  { type: "InternalIP", address: "2001:db8::1" },
];

/** A node on an API in memory; what it says of itself may be changed. */
function openRig(
  hasCloudProvider: boolean,
  marksOf: (ip: Ip, standing: ObjectMeta) => NodeMarks = () => NO_MARKS,
) {
  const clock = new HandClock();
  const client = openFakeClient({ clock });
  const { signal } = new AbortController();
  const own = { ips: [V4] as readonly [Ip] };
  const reporter = new NodeReporter({
    client,
    events: openEventRecorder(client, { component: "kubelet", clock, log: silentLog, signal }),
    identity: {
      name: "n",
      arch: "amd64",
      get nodeIps() {
        return own.ips;
      },
      labels: {},
      taints: [],
      hasCloudProvider,
      marks: (standing) => marksOf(own.ips[0], standing),
    },
    state: async () => ({
      capacity: {},
      allocatable: {},
      info: INFO,
      images: [],
      port: 10250,
      pressures: [],
      complaints: [],
      isSure: true,
    }),
    clock,
    log: silentLog,
    signal,
  });
  const addresses = async () =>
    (await client.get(NODES, { name: "n" })).status?.addresses?.map(({ address }) => address);
  const theirs = () => {
    const patch = { status: { addresses: THEIRS } };
    return client.patch(NODES, { name: "n" }, patch, { type: "merge", subresource: "status" });
  };
  return { client, reporter, own, addresses, theirs, get: () => client.get(NODES, { name: "n" }) };
}

const NO_MARKS: NodeMarks = { labels: {}, annotations: {} };
const INFO = {
  machineID: "m",
  systemUUID: "s",
  bootID: "b",
  kernelVersion: "6.1",
  osImage: "Linux",
  containerRuntimeVersion: "process://1",
  kubeletVersion: "v1",
  kubeProxyVersion: "",
  operatingSystem: "linux",
  architecture: "amd64",
};

test("a node of a cloud registers with its own address and the taint; what a cloud then says is not written over", async () => {
  const rig = openRig(true);
  const node = await rig.reporter.register();
  assert.deepEqual(node.spec?.taints, [
    { key: "node.cloudprovider.kubernetes.io/uninitialized", value: "true", effect: "NoSchedule" },
  ]);
  assert.deepEqual(await rig.addresses(), ["192.0.2.1", "n"]);
  // The cloud is faster than the node's first report, which knows only what it registered.
  await rig.theirs();
  await rig.reporter.report();
  assert.deepEqual((await rig.get()).status?.addresses, THEIRS);
  assert.ok((await rig.get()).status?.conditions?.some(({ type }) => type === "Ready"));
});

test("a node of no cloud has no taint, and its addresses are its own", async () => {
  const rig = openRig(false);
  assert.deepEqual((await rig.reporter.register()).spec, {});
  await rig.theirs();
  await rig.reporter.report();
  assert.deepEqual(await rig.addresses(), ["192.0.2.1", "n"]);
});

test("a node that stands gets no taint again, and keeps what a cloud said, until it is of none", async () => {
  const rig = openRig(true);
  await rig.client.create(NODES, { metadata: { name: "n" }, spec: { providerID: "cloud://1" } });
  await rig.theirs();
  assert.deepEqual((await rig.reporter.register()).spec, { providerID: "cloud://1" });
  await rig.reporter.report();
  assert.deepEqual((await rig.get()).status?.addresses, THEIRS);
});

test("marks are put on, changed when the node's address does, and taken away: all in one write", async () => {
  const rig = openRig(true, (ip, { labels = {} }) => ({
    annotations: { at: ip, also: ip, gone: undefined },
    labels: { old: "old" in labels ? ip : undefined },
  }));
  const metadata = { name: "n", annotations: { gone: "1", others: "1" }, labels: { old: "x" } };
  await rig.client.create(NODES, { metadata });
  await rig.reporter.register();
  await rig.reporter.report();
  const { annotations = {}, labels = {} } = (await rig.get()).metadata;
  assert.deepEqual(
    [annotations["at"], annotations["also"], annotations["gone"], annotations["others"]],
    [V4, V4, undefined, "1"],
  );
  assert.equal(labels["old"], V4);
  const before = rig.client.writes.length;
  rig.own.ips = [MOVED];
  await rig.reporter.move();
  assert.equal((await rig.get()).metadata.annotations?.["at"], MOVED);
  assert.equal(rig.client.writes.slice(before).filter((write) => write === "patch nodes n").length, 1);
  const written = rig.client.writes.filter((write) => write.includes("nodes")).length;
  await rig.reporter.move();
  const after = rig.client.writes.filter((write) => write.includes("nodes")).length;
  assert.equal(after, written, "what stands is not written again");
});
