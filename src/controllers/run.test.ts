import assert from "node:assert/strict";
import { test } from "node:test";
import type { Deployment, Pod } from "#kube/generated/types";
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  EVENTS,
  NODES,
  PODS,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "#kube/resources";
import { deployment, type Harness, openHarness } from "./harness.ts";

const web = { namespace: "default", name: "web" };

async function rolledOut({ client, until }: Harness, name = "web"): Promise<Deployment> {
  return until(`${name} is rolled out`, async () => {
    const found = await client.get(DEPLOYMENTS, { namespace: "default", name });
    const { status, spec, metadata } = found;
    const wanted = spec?.replicas;
    const isDone =
      status?.observedGeneration === metadata.generation &&
      status?.updatedReplicas === wanted &&
      status?.replicas === wanted &&
      status?.availableReplicas === wanted &&
      status?.conditions?.find(({ type }) => type === "Progressing")?.reason === "NewReplicaSetAvailable";
    return isDone && found;
  });
}

async function images({ client }: Harness): Promise<string[]> {
  const { items } = await client.list(PODS, { namespace: "default" });
  return items.map(({ spec }) => spec?.containers[0]?.image ?? "").sort();
}

function setImage(harness: Harness, image: string): Promise<unknown> {
  const spec = { template: { spec: { containers: [{ name: "web", image }] } } };
  return harness.client.patch(DEPLOYMENTS, web, { spec }, { type: "strategic" });
}

test("a Deployment becomes pods on nodes with endpoints, and says so", async () => {
  await using harness = await openHarness();
  const { client, until } = harness;
  await harness.addNode("a");
  await harness.addNode("b");
  await harness.addNode("c");
  await client.create(SERVICES, {
    metadata: web,
    spec: {
      selector: { app: "web" },
      clusterIP: "10.43.0.5",
      ipFamilies: ["IPv4"],
      ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
    },
  });
  const startedAt = performance.now();
  await client.create(DEPLOYMENTS, deployment("web", 3));
  const slice = await until("three ready endpoints", async () => {
    const { items } = await client.list(ENDPOINT_SLICES, { labelSelector: "kubernetes.io/service-name=web" });
    const ready = items[0]?.endpoints?.filter(({ conditions }) => conditions?.ready) ?? [];
    return ready.length === 3 && items[0];
  });
  assert.ok(performance.now() - startedAt < 2_000);
  assert.deepEqual(slice.ports, [{ name: "http", port: 8080, protocol: "TCP" }]);
  assert.deepEqual(slice.endpoints?.map(({ nodeName }) => nodeName).sort(), ["a", "b", "c"]);
  const done = await rolledOut(harness);
  assert.equal(done.metadata.annotations?.["deployment.kubernetes.io/revision"], "1");
  assert.equal(done.status?.conditions?.find(({ type }) => type === "Available")?.status, "True");
  const events = await until("events are written", async () => {
    const { items } = await client.list(EVENTS, { namespace: "default" });
    return items.length >= 7 && items.map(({ message }) => message ?? "");
  });
  assert.ok(events.some((message) => /^Scaled up replica set web-\w+ from 0 to 3$/.test(message)));
  assert.ok(events.some((message) => /^Successfully assigned default\/web-\w+-\w+ to [abc]$/.test(message)));
});

test("every node gets its own pod network, every namespace its account and certificate", async () => {
  await using harness = await openHarness({ namespaces: ["default", "kube-system"] });
  const { client, until } = harness;
  await harness.addNode("has", { spec: { podCIDR: "10.42.0.0/24", podCIDRs: ["10.42.0.0/24"] } });
  await harness.addNode("a");
  await harness.addNode("b");
  const cidrs = await until("all have one", async () => {
    const { items } = await client.list(NODES);
    const all = items.flatMap(({ spec }) => spec?.podCIDR ?? []);
    return all.length === 3 && all;
  });
  assert.deepEqual(cidrs.sort(), ["10.42.0.0/24", "10.42.1.0/24", "10.42.2.0/24"]);
  for (const namespace of ["default", "kube-system"]) {
    await until("account", async () => (await client.list(SERVICE_ACCOUNTS, { namespace })).items[0]);
    const published = await until(
      "certificate",
      async () => (await client.list(CONFIG_MAPS, { namespace })).items[0],
    );
    assert.deepEqual(published.data, { "ca.crt": "CA" });
  }
  await client.delete(CONFIG_MAPS, { namespace: "default", name: "kube-root-ca.crt" });
  await until("repaired", async () => (await client.list(CONFIG_MAPS, { namespace: "default" })).items[0]);
});

test("a new template rolls out, keeps enough pods up, and an old one comes back under a new number", async () => {
  await using harness = await openHarness();
  const { client } = harness;
  await harness.addNode("a");
  await client.create(DEPLOYMENTS, deployment("web", 4));
  await rolledOut(harness);
  let fewest = 4;
  harness.pods.subscribe(() => {
    const up = harness.pods.list().filter(({ metadata, status }) => {
      return !metadata.deletionTimestamp && status?.conditions?.some(({ type }) => type === "Ready");
    });
    fewest = Math.min(fewest, up.length);
  });
  await setImage(harness, "web:2");
  await harness.until("new images", async () => (await images(harness)).join() === "web:2,web:2,web:2,web:2");
  const second = await rolledOut(harness);
  assert.equal(second.metadata.annotations?.["deployment.kubernetes.io/revision"], "2");
  assert.ok(fewest >= 3, `only ${fewest} pods were up`);
  await setImage(harness, "web:1");
  await harness.until("old images", async () => (await images(harness)).join() === "web:1,web:1,web:1,web:1");
  const third = await rolledOut(harness);
  assert.equal(third.metadata.annotations?.["deployment.kubernetes.io/revision"], "3");
  const { items } = await client.list(REPLICA_SETS);
  assert.equal(items.length, 2);
});

test("a stuck roll-out keeps the old pods, and can be paused, scaled and undone", async () => {
  await using harness = await openHarness();
  const { client, until } = harness;
  await harness.addNode("a");
  await client.create(DEPLOYMENTS, deployment("web", 4));
  await rolledOut(harness);
  harness.becomesReady = (pod: Pod) => pod.spec?.containers[0]?.image !== "web:bad";
  await setImage(harness, "web:bad");
  await until(
    "a new pod waits",
    async () => (await images(harness)).filter((image) => image === "web:bad").length === 2,
  );
  assert.equal((await images(harness)).filter((image) => image === "web:1").length, 3);
  await setImage(harness, "web:1");
  await rolledOut(harness);
  assert.deepEqual(await images(harness), ["web:1", "web:1", "web:1", "web:1"]);
});

test("scaling up and down ends at the size asked for", async () => {
  await using harness = await openHarness();
  const { client } = harness;
  await harness.addNode("a");
  await client.create(DEPLOYMENTS, deployment("web", 1));
  await rolledOut(harness);
  for (const replicas of [7, 2, 0, 3]) {
    await client.patch(DEPLOYMENTS, web, { spec: { replicas } }, { type: "merge" });
    await harness.until(`${replicas} pods`, async () => (await images(harness)).length === replicas);
    await rolledOut(harness);
  }
});

test("Recreate starts no new pod before the last old one is gone", async () => {
  await using harness = await openHarness();
  const { client } = harness;
  await harness.addNode("a");
  await client.create(DEPLOYMENTS, deployment("web", 3, { strategy: { type: "Recreate" } }));
  await rolledOut(harness);
  let mixed = false;
  harness.pods.subscribe(() => {
    mixed ||= new Set(harness.pods.list().map(({ spec }) => spec?.containers[0]?.image)).size > 1;
  });
  await setImage(harness, "web:2");
  await harness.until("new images", async () => (await images(harness)).join() === "web:2,web:2,web:2");
  await rolledOut(harness);
  assert.equal(mixed, false);
});

test("a pod that fits nowhere says why, and is placed when a node comes", async () => {
  await using harness = await openHarness();
  const { client, until } = harness;
  await harness.addNode("small", { status: { allocatable: { cpu: "1", memory: "1Gi", pods: "10" } } });
  const resources = { requests: { cpu: "2" } };
  await client.create(PODS, {
    metadata: { name: "big", namespace: "default" },
    spec: { containers: [{ name: "c", image: "i", resources }] },
  });
  const condition = await until("condition", async () => {
    const pod = await client.get(PODS, { namespace: "default", name: "big" });
    return pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  });
  assert.equal(
    condition.message,
    "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
  );
  await harness.addNode("large");
  await until("placed", async () => {
    const pod = await client.get(PODS, { namespace: "default", name: "big" });
    return pod.spec?.nodeName === "large";
  });
});
