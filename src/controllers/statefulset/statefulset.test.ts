import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, StatefulSet, StatefulSetSpec } from "#kube/generated/types";
import { CONTROLLER_REVISIONS, EVENTS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS } from "#kube/resources";
import { type Harness, openHarness } from "../harness.ts";

const ref = { namespace: "default", name: "db" };

function statefulSet(spec: Partial<StatefulSetSpec>): StatefulSet {
  const labels = { app: "db" };
  return {
    metadata: ref,
    spec: {
      replicas: 3,
      serviceName: "db",
      podManagementPolicy: "OrderedReady",
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
      revisionHistoryLimit: 10,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "db", image: "db:1" }] } },
      ...spec,
    },
  };
}

async function openSet(spec: Partial<StatefulSetSpec>): Promise<Harness> {
  const harness = await openHarness();
  await harness.addNode("a");
  await harness.client.create(STATEFUL_SETS, statefulSet(spec));
  return harness;
}

async function pods({ client }: Harness): Promise<readonly Pod[]> {
  return (await client.list(PODS)).items;
}

async function images(harness: Harness): Promise<string> {
  return (await pods(harness)).map(({ spec }) => spec?.containers[0]?.image).join();
}

function patch({ client }: Harness, spec: unknown): Promise<unknown> {
  return client.patch(STATEFUL_SETS, ref, { spec }, { type: "strategic" });
}

function setImage(harness: Harness, image: string): Promise<unknown> {
  return patch(harness, { template: { spec: { containers: [{ name: "db", image }] } } });
}

function settled(harness: Harness, replicas: number): Promise<StatefulSet> {
  return harness.until(`${replicas} replicas, current`, async () => {
    const found = await harness.client.get(STATEFUL_SETS, ref);
    const { status, metadata } = found;
    const isSettled =
      status?.observedGeneration === metadata.generation &&
      status?.replicas === replicas &&
      (status.availableReplicas ?? 0) === replicas &&
      (status.updatedReplicas ?? 0) === replicas &&
      status.currentRevision === status.updateRevision;
    return isSettled && found;
  });
}

/** The order in which names came and went: `+db-0 +db-1 -db-1`. */
function watchOrder(harness: Harness): string[] {
  const order: string[] = [];
  harness.pods.subscribe((change) => {
    if (change.type === "added") order.push(`+${change.object.metadata.name}`);
    if (change.type === "removed") order.push(`-${change.before.metadata.name}`);
  });
  order.length = 0;
  return order;
}

test("pods come one after the other with their names, and go in reverse", async () => {
  await using harness = await openHarness();
  await harness.addNode("a");
  const order = watchOrder(harness);
  await harness.client.create(STATEFUL_SETS, statefulSet({ ordinals: { start: 5 } }));
  await settled(harness, 3);
  const [first] = await pods(harness);
  assert.equal(first?.metadata.name, "db-5");
  assert.equal(first?.metadata.generateName, "db-");
  assert.equal(first?.spec?.hostname, "db-5");
  assert.equal(first?.spec?.subdomain, "db");
  assert.equal(first?.metadata.labels?.["apps.kubernetes.io/pod-index"], "5");
  assert.equal(first?.metadata.labels?.["statefulset.kubernetes.io/pod-name"], "db-5");
  await patch(harness, { replicas: 1 });
  await settled(harness, 1);
  assert.deepEqual(order, ["+db-5", "+db-6", "+db-7", "-db-7", "-db-6"]);
  await harness.until("events", async () => {
    const said = (await harness.client.list(EVENTS)).items.map(
      ({ reason, message }) => `${reason}: ${message}`,
    );
    return (
      said.includes("SuccessfulCreate: Create Pod db-6 in StatefulSet db successful") &&
      said.includes("SuccessfulDelete: Delete Pod db-7 in StatefulSet db successful")
    );
  });
});

test("an unready pod holds up the next one, and scaling down; in parallel it does not", async () => {
  await using harness = await openHarness();
  await harness.addNode("a");
  harness.becomesReady = ({ metadata }) => metadata.name !== "db-1";
  await harness.client.create(STATEFUL_SETS, statefulSet({}));
  await harness.until("two pods", async () => (await pods(harness)).length === 2);
  const { status } = await harness.until("status", async () => {
    const found = await harness.client.get(STATEFUL_SETS, ref);
    return found.status?.replicas === 2 && found.status.readyReplicas === 1 && found;
  });
  assert.equal(status?.currentReplicas, 2);
  await harness.client.delete(STATEFUL_SETS, ref, { propagationPolicy: "Foreground" });
  await harness.until("gone", async () => (await pods(harness)).length === 0);
  await harness.client.create(STATEFUL_SETS, statefulSet({ podManagementPolicy: "Parallel" }));
  await harness.until("all three", async () => (await pods(harness)).length === 3);
});

test("an update goes from the highest ordinal down to the partition, and on when it is lowered", async () => {
  await using harness = await openSet({});
  await settled(harness, 3);
  const order = watchOrder(harness);
  await patch(harness, { updateStrategy: { rollingUpdate: { partition: 2 } } });
  await setImage(harness, "db:2");
  await harness.until("the last one", async () => (await images(harness)) === "db:1,db:1,db:2");
  const canary = await harness.until("canary", async () => {
    const found = await harness.client.get(STATEFUL_SETS, ref);
    return found.status?.updatedReplicas === 1 && found.status.readyReplicas === 3 && found;
  });
  assert.notEqual(canary.status?.currentRevision, canary.status?.updateRevision);
  assert.equal(canary.status?.currentReplicas, 2);
  // Below the partition a lost pod comes back as it was.
  const lost = (await pods(harness))[0]?.metadata.uid;
  await harness.client.delete(PODS, { namespace: "default", name: "db-0" });
  await harness.until("old one back", async () => {
    const found = await pods(harness);
    const isNew = found[0]?.metadata.name === "db-0" && found[0].metadata.uid !== lost;
    return isNew && found.every(({ status }) => status?.phase === "Running");
  });
  assert.equal(await images(harness), "db:1,db:1,db:2");
  order.length = 0;
  await patch(harness, { updateStrategy: { rollingUpdate: { partition: 0 } } });
  await settled(harness, 3);
  assert.equal(await images(harness), "db:2,db:2,db:2");
  assert.deepEqual(order, ["-db-1", "+db-1", "-db-0", "+db-0"]);
  await setImage(harness, "db:1");
  const back = await settled(harness, 3);
  assert.equal(await images(harness), "db:1,db:1,db:1");
  const revisions = (await harness.client.list(CONTROLLER_REVISIONS)).items;
  assert.deepEqual(revisions.map(({ revision }) => revision).sort(), [2, 3]);
  assert.equal(revisions.find(({ revision }) => revision === 3)?.metadata.name, back.status?.updateRevision);
});

test("maxUnavailable lets several go at once; OnDelete none", async () => {
  await using harness = await openSet({
    replicas: 4,
    podManagementPolicy: "Parallel",
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 3 } },
  });
  await settled(harness, 4);
  const order = watchOrder(harness);
  await setImage(harness, "db:2");
  await settled(harness, 4);
  assert.deepEqual(order.slice(0, 3).sort(), ["-db-1", "-db-2", "-db-3"]);
  await patch(harness, { updateStrategy: { type: "OnDelete", rollingUpdate: null } });
  await setImage(harness, "db:3");
  await harness.until("seen", async () => {
    const { status, metadata } = await harness.client.get(STATEFUL_SETS, ref);
    return status?.observedGeneration === metadata.generation && status?.updatedReplicas === 0;
  });
  await harness.client.delete(PODS, { namespace: "default", name: "db-2" });
  await harness.until("one new", async () => (await images(harness)) === "db:2,db:2,db:3,db:2");
});

test("a pod that failed is made again under its name; a terminating one is waited for", async () => {
  await using harness = await openSet({ replicas: 1 });
  await settled(harness, 1);
  const [before] = await pods(harness);
  harness.ends = ({ metadata }) => (metadata.uid === before?.metadata.uid ? { phase: "Failed" } : undefined);
  await harness.client.patch(
    PODS,
    before?.metadata ?? ref,
    { metadata: { annotations: { touch: "1" } } },
    { type: "merge" },
  );
  await harness.until("another db-0", async () => {
    const [now] = await pods(harness);
    return now?.metadata.uid !== before?.metadata.uid && now?.status?.phase === "Running";
  });
});

test("claims are made before their pods, stay or go by the policy, and are found again", async () => {
  const claim = {
    metadata: { name: "data", labels: { tier: "disk" } },
    spec: { accessModes: ["ReadWriteOnce"] },
  };
  // In parallel, since no volume comes for the claims here, and so no pod starts.
  await using harness = await openSet({
    replicas: 2,
    podManagementPolicy: "Parallel",
    volumeClaimTemplates: [claim],
    persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
  });
  const counts = async () => [(await pods(harness)).length, (await claims()).length].join();
  const claims = async () => (await harness.client.list(PERSISTENT_VOLUME_CLAIMS)).items;
  await harness.until("two of each", async () => (await counts()) === "2,2");
  const [first] = await claims();
  assert.equal(first?.metadata.name, "data-db-0");
  assert.deepEqual(first?.metadata.labels, { tier: "disk", app: "db" });
  assert.equal(first?.metadata.ownerReferences?.[0]?.kind, "StatefulSet");
  const [pod] = await pods(harness);
  assert.deepEqual(pod?.spec?.volumes?.[0], {
    name: "data",
    persistentVolumeClaim: { claimName: "data-db-0", readOnly: false },
  });
  await patch(harness, { replicas: 1 });
  await harness.until("the claim stays", async () => (await counts()) === "1,2");
  await patch(harness, { replicas: 2, persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete" } });
  await harness.until("two of each again", async () => (await counts()) === "2,2");
  await patch(harness, { replicas: 1 });
  await harness.until("the claim goes", async () => (await counts()) === "1,1");
  await harness.client.delete(STATEFUL_SETS, ref, { propagationPolicy: "Background" });
  await harness.until("nothing is left", async () => (await counts()) === "0,0");
});

test("old revisions go beyond the limit", async () => {
  await using harness = await openSet({ replicas: 1, revisionHistoryLimit: 1 });
  for (const image of ["db:2", "db:3", "db:4"]) {
    await settled(harness, 1);
    await setImage(harness, image);
    await harness.until(image, async () => (await images(harness)) === image);
  }
  await settled(harness, 1);
  await harness.until("two left", async () => {
    const { items } = await harness.client.list(CONTROLLER_REVISIONS);
    return (
      items.map(({ revision }) => revision).join() === "3,4" ||
      items
        .map(({ revision }) => revision)
        .sort()
        .join() === "3,4"
    );
  });
});
