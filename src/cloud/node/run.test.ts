import assert from "node:assert/strict";
import { test } from "node:test";
import { openFakeClient } from "#kube/fake/client";
import type { Node } from "#kube/generated/types";
import { openInformer } from "#kube/open-informer";
import { EVENTS, NODES } from "#kube/resources";
import { HandClock } from "#life/testing/hand-clock";
import { openLog } from "#telemetry/log";
import { NODE_ANNOTATIONS, PROVIDED_IP, UNINITIALIZED_TAINT } from "../names.ts";
import { runCloudNodes } from "./run.ts";

const { internalIp, externalIp } = NODE_ANNOTATIONS;

/** An API in memory, the controller on it, and a clock that stands still unless it is moved. */
function openRig() {
  const clock = new HandClock();
  const client = openFakeClient({ clock });
  const abort = new AbortController();
  const lines: string[] = [];
  const log = openLog({ write: (line) => void lines.push(line), level: "info" });
  const watching = { clock, log, signal: abort.signal };
  const nodes = openInformer<Node>(client, NODES, watching);
  const running = runCloudNodes({ ...watching, client, nodes });
  return {
    client,
    lines,
    pass: (ms: number) => clock.pass(ms),
    /** All that follows from what was done, and nothing that waits. */
    settle: () => clock.pass(0),
    get: (name: string) => client.get(NODES, { name }),
    addresses: async (name: string) =>
      (await client.get(NODES, { name })).status?.addresses?.map(({ address }) => address),
    register: (name: string, annotations: Readonly<Record<string, string>>) =>
      client.create(NODES, {
        metadata: { name, annotations },
        spec: { taints: [{ key: UNINITIALIZED_TAINT, value: "true", effect: "NoSchedule" }] },
      }),
    annotate: (name: string, annotations: Readonly<Record<string, string | null>>) =>
      client.patch(NODES, { name }, { metadata: { annotations } }, { type: "merge" }),
    writes: () => client.writes.filter((write) => !write.includes("events")).length,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await running;
    },
  };
}

test("a Node is ready for pods as soon as it is there, without any time passing; its addresses come first", async () => {
  await using rig = openRig();
  await rig.settle();
  await rig.register("a", { [internalIp]: "192.0.2.1" });
  await rig.settle();
  const { spec, status } = await rig.get("a");
  assert.deepEqual(spec, { taints: [], providerID: "k3s://a" });
  assert.deepEqual(status?.addresses, [{ type: "InternalIP", address: "192.0.2.1" }]);
  assert.deepEqual(
    rig.client.writes.filter((write) => write.includes("nodes")),
    ["create nodes a", "patch nodes a", "replace nodes a"],
  );
  const { items } = await rig.client.list(EVENTS);
  assert.deepEqual(
    items.map(({ reason, message, source }) => [reason, message, source?.component]),
    [["Synced", "Node synced successfully", "cloud-node-controller"]],
  );
});

test("one that registers before it tells of its machine is done when it does; that it waits is told once, after a while", async () => {
  await using rig = openRig();
  await rig.register("a", {});
  await rig.pass(9_000);
  assert.deepEqual(rig.lines, []);
  await rig.pass(200_000);
  assert.equal(rig.lines.length, 1);
  assert.match(rig.lines[0] ?? "", /no agent has told of its machine node=a/);
  assert.equal(rig.writes(), 1);
  await rig.annotate("a", { [internalIp]: "192.0.2.1" });
  await rig.settle();
  assert.equal((await rig.get("a")).spec?.providerID, "k3s://a");
});

test("addresses follow what the agent says, also what it takes back", async () => {
  await using rig = openRig();
  await rig.register("a", {
    [internalIp]: "192.0.2.1",
    [externalIp]: "198.51.100.1",
    [PROVIDED_IP]: "192.0.2.1",
  });
  await rig.settle();
  assert.deepEqual(await rig.addresses("a"), ["192.0.2.1", "198.51.100.1"]);
  await rig.annotate("a", { [externalIp]: null, [internalIp]: "192.0.2.9", [PROVIDED_IP]: "192.0.2.9" });
  await rig.settle();
  assert.deepEqual(await rig.addresses("a"), ["192.0.2.9"]);
  await rig.annotate("a", { [internalIp]: null });
  await rig.settle();
  assert.deepEqual(await rig.addresses("a"), ["192.0.2.9"], "what nobody announces is left alone");
});

test("a Node that says nonsense is told by name, once, and holds nobody else up", async () => {
  await using rig = openRig();
  await rig.register("bad", { [internalIp]: "everywhere" });
  await rig.register("good", { [internalIp]: "192.0.2.1" });
  await rig.settle();
  assert.equal((await rig.get("good")).spec?.providerID, "k3s://good");
  assert.equal((await rig.get("bad")).spec?.taints?.length, 1);
  for (let minute = 0; minute < 5; minute++) await rig.pass(60_000);
  const { items } = await rig.client.list(EVENTS);
  const warnings = items.filter(({ type }) => type === "Warning");
  assert.deepEqual(
    warnings.map(({ reason, count, message }) => [reason, count, message]),
    [["BadNodeAnnotation", 1, 'annotation k3s.io/internal-ip: "everywhere" is not an IP address']],
  );
  await rig.annotate("bad", { [internalIp]: "192.0.2.2" });
  await rig.settle();
  assert.equal((await rig.get("bad")).spec?.providerID, "k3s://bad");
  assert.ok(
    rig.lines.some(
      (line) => line.includes("is right again room=") || line.includes("is right again node=bad"),
    ),
  );
});

test("an update that meets another is made again", async () => {
  await using rig = openRig();
  let conflicts = 3;
  rig.client.intercept(({ verb }) => (verb === "replace" && conflicts-- > 0 ? "Conflict" : undefined));
  await rig.register("a", { [internalIp]: "192.0.2.1" });
  await rig.pass(100);
  assert.equal((await rig.get("a")).spec?.providerID, "k3s://a");
});

test("an API that refuses is asked again, later each time", async () => {
  await using rig = openRig();
  rig.client.intercept(({ verb }) => (verb === "patch" ? "Forbidden" : undefined));
  await rig.register("a", { [internalIp]: "192.0.2.1" });
  await rig.pass(60_000);
  const tried = rig.writes();
  assert.ok(tried > 5 && tried < 30, `${tried} writes in a minute`);
  rig.client.intercept(() => undefined);
  await rig.pass(60_000);
  assert.equal((await rig.get("a")).spec?.providerID, "k3s://a");
});

test("somebody else who writes addresses is contradicted, but not at every word", async () => {
  await using rig = openRig();
  await rig.register("a", { [internalIp]: "192.0.2.1" });
  await rig.settle();
  const theirs = { status: { addresses: [{ type: "InternalIP", address: "203.0.113.1" }] } };
  for (let second = 0; second < 60; second++) {
    await rig.client.patch(NODES, { name: "a" }, theirs, { type: "merge", subresource: "status" });
    await rig.pass(1_000);
  }
  const ours = rig.client.writes.filter((write) => write === "patch nodes a").length - 60;
  assert.ok(ours >= 4 && ours <= 9, `${ours} times`);
  await rig.pass(60_000);
  assert.deepEqual(await rig.addresses("a"), ["192.0.2.1"]);
});

test("a controller that starts on a cluster that is right writes nothing", async () => {
  await using rig = openRig();
  await rig.register("a", { [internalIp]: "192.0.2.1" });
  await rig.settle();
  const before = rig.writes();
  const abort = new AbortController();
  const clock = new HandClock();
  const log = openLog({ write: () => {}, level: "error" });
  const watching = { clock, log, signal: abort.signal };
  const nodes = openInformer<Node>(rig.client, NODES, watching);
  const second = runCloudNodes({ ...watching, client: rig.client, nodes });
  for (let minute = 0; minute < 3; minute++) await clock.pass(60_000);
  abort.abort();
  await second;
  assert.equal(rig.writes(), before);
});

test("a thousand Nodes at once are all done, each with two writes", async () => {
  await using rig = openRig();
  await rig.settle();
  for (let i = 0; i < 1000; i++) await rig.register(`n${i}`, { [internalIp]: `10.0.${i >> 8}.${i & 255}` });
  for (let turn = 0; turn < 100; turn++) await rig.settle();
  const { items } = await rig.client.list(NODES);
  assert.equal(items.filter(({ spec }) => spec?.providerID !== undefined).length, 1000);
  assert.equal(rig.writes(), 3000);
});
