import assert from "node:assert/strict";
import { test } from "node:test";
import type { DaemonSet } from "#kube/generated/types";
import {
  CONTROLLER_REVISIONS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  EVENTS,
  LEASES,
  NODES,
  PODS,
  SERVICES,
} from "#kube/resources";
import { HandClock } from "#life/testing/hand-clock";
import { deployment, type Harness, openHarness } from "./harness.ts";

const namespace = "default";

function daemonSet(more: Partial<DaemonSet["spec"]> = {}): DaemonSet {
  const labels = { app: "daemon" };
  return {
    metadata: { name: "daemon", namespace },
    spec: {
      selector: { matchLabels: labels },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      template: { metadata: { labels }, spec: { containers: [{ name: "d", image: "d:1" }] } },
      ...more,
    },
  };
}

function placed({ pods }: Harness): string {
  return pods
    .list()
    .map(({ spec }) => `${spec?.nodeName}=${spec?.containers[0]?.image}`)
    .sort()
    .join();
}

async function daemonsDone({ client, until }: Harness, wanted: number): Promise<void> {
  await until(`${wanted} daemons are up to date`, async () => {
    const { status, metadata } = await client.get(DAEMON_SETS, { namespace, name: "daemon" });
    return (
      status?.observedGeneration === metadata.generation &&
      status?.desiredNumberScheduled === wanted &&
      status.updatedNumberScheduled === wanted &&
      status.numberAvailable === wanted
    );
  });
}

test("a DaemonSet runs once on every node that takes it, and follows nodes and labels", async () => {
  await using harness = await openHarness();
  const { client } = harness;
  const taints = [{ key: "dedicated", effect: "NoSchedule" }];
  await harness.addNode("a");
  await harness.addNode("tainted", { spec: { taints } });
  await harness.addNode("cordoned", { spec: { unschedulable: true } });
  await client.create(DAEMON_SETS, daemonSet());
  await daemonsDone(harness, 2);
  assert.equal(placed(harness), "a=d:1,cordoned=d:1");
  await harness.addNode("b");
  await daemonsDone(harness, 3);
  await client.patch(NODES, { name: "tainted" }, { spec: { taints: null } }, { type: "merge" });
  await daemonsDone(harness, 4);
});

for (const rollingUpdate of [
  { maxUnavailable: 1, maxSurge: 0 },
  { maxUnavailable: 0, maxSurge: 1 },
]) {
  test(`an updated DaemonSet replaces its pods, ${JSON.stringify(rollingUpdate)}`, async () => {
    await using harness = await openHarness();
    const { client } = harness;
    await harness.addNode("a");
    await harness.addNode("b");
    await client.create(DAEMON_SETS, daemonSet({ updateStrategy: { type: "RollingUpdate", rollingUpdate } }));
    await daemonsDone(harness, 2);
    const change = { spec: { template: { spec: { containers: [{ name: "d", image: "d:2" }] } } } };
    await client.patch(DAEMON_SETS, { namespace, name: "daemon" }, change, { type: "strategic" });
    await harness.until("replaced", () => placed(harness) === "a=d:2,b=d:2");
    await daemonsDone(harness, 2);
    const { items } = await client.list(CONTROLLER_REVISIONS);
    assert.deepEqual(items.map(({ revision }) => revision).sort(), [1, 2]);
  });
}

test("a node that falls silent loses its endpoints at once and its pods after their tolerations", async () => {
  const clock = new HandClock();
  await using harness = await openHarness({ clock });
  const { client, until } = harness;
  await harness.addNode("good");
  await harness.addNode("bad");
  const draft = deployment("web", 2);
  const tolerations = ["not-ready", "unreachable"].map((name) => ({
    key: `node.kubernetes.io/${name}`,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: 300,
  }));
  const template = {
    ...draft.spec?.template,
    spec: { tolerations, containers: [{ name: "c", image: "i" }] },
  };
  await client.create(DEPLOYMENTS, deployment("web", 2, { template }));
  await client.create(SERVICES, { metadata: { name: "web", namespace }, spec: { selector: { app: "web" } } });
  const readyOn = async () => {
    const { items } = await client.list(ENDPOINT_SLICES, { namespace });
    const ready = items
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready);
    return ready
      .map(({ nodeName }) => nodeName)
      .sort()
      .join();
  };
  await until("one on each", async () => (await readyOn()) === "bad,good");
  harness.deadNodes.add("bad");
  const renew = async () => {
    const name = "good";
    const spec = { holderIdentity: name, renewTime: new Date(clock.now()).toISOString() };
    const lease = { metadata: { name, namespace: "kube-node-lease" }, spec };
    await client.patch(LEASES, lease.metadata, lease, { type: "apply" });
  };
  for (let second = 0; second < 60; second += 10) {
    await renew();
    await clock.pass(10_000);
  }
  await until("the silent node is tainted", async () => {
    const node = await client.get(NODES, { name: "bad" });
    const taints = node.spec?.taints?.map(({ key, effect }) => `${key}:${effect}`) ?? [];
    const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
    return (
      ready?.message === "Kubelet stopped posting node status." &&
      taints.join() === "node.kubernetes.io/unreachable:NoSchedule,node.kubernetes.io/unreachable:NoExecute"
    );
  });
  await until("its endpoint is gone", async () => (await readyOn()) === "good");
  assert.equal((await client.get(NODES, { name: "good" })).spec?.taints ?? undefined, undefined);
  for (let second = 0; second < 310; second += 10) {
    await renew();
    await clock.pass(10_000);
  }
  await until("its pod was replaced on the other node", async () => (await readyOn()) === "good,good");
  const { items } = await client.list(PODS, { fieldSelector: "spec.nodeName=bad" });
  assert.ok(items.every(({ metadata }) => metadata.deletionTimestamp));
  const node = await client.get(NODES, { name: "bad" });
  const conditions = node.status?.conditions?.map((condition) => ({
    ...condition,
    status: "True",
    lastHeartbeatTime: "now",
  }));
  const healthy = conditions?.filter(({ type }) => type === "Ready");
  await client.replace(
    NODES,
    { ...node, status: { ...node.status, conditions: healthy } },
    { subresource: "status" },
  );
  await until("it is welcome again", async () => {
    const back = await client.get(NODES, { name: "bad" });
    return (back.spec?.taints ?? []).length === 0;
  });
});

test("pods that go before a taint drives them out, or need not go any more, are said to be let off; others not", async () => {
  await using harness = await openHarness();
  const { client, until } = harness;
  await harness.addNode("a");
  const patient = { key: "k", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 };
  const containers = [{ name: "c", image: "i" }];
  for (const [name, tolerations] of [
    ["patient", [patient]],
    ["leaver", [patient]],
    ["frail", []],
  ] as const)
    await client.create(PODS, {
      metadata: { name, namespace },
      spec: { nodeName: "a", tolerations, containers },
    });
  const taint = (taints: object | null) =>
    client.patch(NODES, { name: "a" }, { spec: { taints } }, { type: "merge" });
  const said = async () => {
    const { items } = await client.list(EVENTS, { namespace });
    return items.filter(({ reason }) => reason === "TaintManagerEviction").map(({ message = "" }) => message);
  };
  await taint([{ key: "k", effect: "NoExecute" }]);
  await until("the frail one is gone", () => harness.pods.list().length === 2);
  await client.delete(PODS, { namespace, name: "leaver" });
  await until("said of the one that left", async () => (await said()).length === 2);
  await taint(null);
  await until("said of the one that stays", async () => (await said()).length === 3);
  assert.deepEqual((await said()).sort(), [
    "Cancelling deletion of Pod default/leaver",
    "Cancelling deletion of Pod default/patient",
    "Marking for deletion Pod default/frail",
  ]);
});
