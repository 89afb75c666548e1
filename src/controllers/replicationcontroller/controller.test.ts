import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENTS, PODS, REPLICATION_CONTROLLERS } from "#kube/resources";
import { openHarness } from "../harness.ts";

test("a ReplicationController keeps its pods, by a selector that is a plain map", async () => {
  await using harness = await openHarness();
  await harness.addNode("a");
  const { client, until } = harness;
  const ref = { namespace: "default", name: "old" };
  const labels = { app: "old" };
  await client.create(REPLICATION_CONTROLLERS, {
    metadata: ref,
    spec: {
      replicas: 2,
      selector: labels,
      template: { metadata: { name: "", labels }, spec: { containers: [{ name: "c", image: "i" }] } },
    },
  });
  const { status, spec } = await until("two ready", async () => {
    const found = await client.get(REPLICATION_CONTROLLERS, ref);
    return found.status?.availableReplicas === 2 && found;
  });
  assert.deepEqual(
    { ...status },
    { replicas: 2, fullyLabeledReplicas: 2, readyReplicas: 2, availableReplicas: 2, observedGeneration: 1 },
  );
  assert.deepEqual(spec?.selector, labels);
  const [pod] = (await client.list(PODS)).items;
  assert.equal(pod?.metadata.ownerReferences?.[0]?.kind, "ReplicationController");
  assert.equal(pod?.metadata.ownerReferences?.[0]?.apiVersion, "v1");
  await client.patch(REPLICATION_CONTROLLERS, ref, { spec: { replicas: 1 } }, { type: "merge" });
  await until("one left", async () => (await client.list(PODS)).items.length === 1);
  await until("event", async () => {
    const { items } = await client.list(EVENTS);
    return items.some(({ source }) => source?.component === "replication-controller");
  });
});
