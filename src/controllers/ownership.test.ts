import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeleteOptions } from "#kube/client";
import type { ConfigMap } from "#kube/generated/types";
import { controllerRef } from "#kube/owner";
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, REPLICA_SETS, SERVICES } from "#kube/resources";
import { deployment, type Harness, openHarness } from "./harness.ts";

const namespace = "default";
const web = { namespace, name: "web" };

async function withDeployment(): Promise<Harness> {
  const harness = await openHarness();
  await harness.addNode("a");
  await harness.client.create(DEPLOYMENTS, deployment("web", 2));
  await harness.until(
    "two pods run",
    () => harness.pods.list().filter(({ status }) => status?.podIP).length === 2,
  );
  return harness;
}

async function counts({ client }: Harness): Promise<string> {
  const [sets, pods] = [await client.list(REPLICA_SETS), await client.list(PODS)];
  return `${sets.items.length} sets, ${pods.items.length} pods`;
}

for (const propagationPolicy of ["Background", "Foreground"] satisfies DeleteOptions["propagationPolicy"][]) {
  test(`deleting a Deployment in the ${propagationPolicy.toLowerCase()} takes everything it owns`, async () => {
    await using harness = await withDeployment();
    await harness.client.delete(DEPLOYMENTS, web, { propagationPolicy });
    await harness.until("all gone", async () => {
      const { items } = await harness.client.list(DEPLOYMENTS);
      return items.length === 0 && (await counts(harness)) === "0 sets, 0 pods";
    });
  });
}

test("orphaning leaves the dependents, without the reference; a new owner adopts them", async () => {
  await using harness = await withDeployment();
  const before = harness.pods.list().map(({ metadata }) => metadata.uid);
  await harness.client.delete(DEPLOYMENTS, web, { propagationPolicy: "Orphan" });
  await harness.until("released", async () => {
    const { items } = await harness.client.list(DEPLOYMENTS);
    const [set] = (await harness.client.list(REPLICA_SETS)).items;
    return items.length === 0 && set !== undefined && (set.metadata.ownerReferences ?? []).length === 0;
  });
  assert.equal(await counts(harness), "1 sets, 2 pods");
  const made = await harness.client.create(DEPLOYMENTS, deployment("web", 2));
  await harness.until("adopted", async () => {
    const [set] = (await harness.client.list(REPLICA_SETS)).items;
    return set?.metadata.ownerReferences?.[0]?.uid === made.metadata.uid;
  });
  assert.deepEqual(
    harness.pods.list().map(({ metadata }) => metadata.uid),
    before,
  );
});

test("an object whose owner never existed goes; one with another living owner only loses the reference", async () => {
  await using harness = await openHarness();
  const { client, until } = harness;
  const owner = await client.create(CONFIG_MAPS, { metadata: { name: "owner", namespace } });
  const ghost = { apiVersion: "v1", kind: "ConfigMap", name: "ghost", uid: "no-such-uid" };
  const create = (name: string, ownerReferences: ConfigMap["metadata"]["ownerReferences"]) =>
    client.create(CONFIG_MAPS, { metadata: { name, namespace, ownerReferences } });
  await create("orphaned", [ghost]);
  await create("shared", [ghost, { ...controllerRef(CONFIG_MAPS, owner), controller: false }]);
  await create("unknown-kind", [{ ...ghost, kind: "Mystery", apiVersion: "example.com/v1" }]);
  await until("orphaned is gone", async () => {
    const { items } = await client.list(CONFIG_MAPS, { namespace });
    return !items.some(({ metadata }) => metadata.name === "orphaned");
  });
  await until("shared is trimmed", async () => {
    const shared = await client.get(CONFIG_MAPS, { namespace, name: "shared" });
    return shared.metadata.ownerReferences?.length === 1;
  });
  assert.ok(await client.get(CONFIG_MAPS, { namespace, name: "unknown-kind" }));
});

test("a pod that stops matching is released and replaced; one that matches again is adopted and surplus deleted", async () => {
  await using harness = await withDeployment();
  const { client, until } = harness;
  const [first] = harness.pods.list();
  assert.ok(first);
  const relabel = (app: string) =>
    client.patch(PODS, first.metadata, { metadata: { labels: { app } } }, { type: "merge" });
  await relabel("other");
  await until("replaced", async () => (await client.list(PODS)).items.length === 3);
  await until("released", async () => {
    const pod = await client.get(PODS, first.metadata);
    return (pod.metadata.ownerReferences ?? []).length === 0;
  });
  await relabel("web");
  await until("back to two", async () => (await client.list(PODS)).items.length === 2);
});

test("a deleted namespace is emptied, pods first, and then goes", async () => {
  await using harness = await openHarness({ namespaces: ["default", "doomed"] });
  const { client, until } = harness;
  await harness.addNode("a");
  const draft = deployment("web", 2);
  await client.create(DEPLOYMENTS, { ...draft, metadata: { ...draft.metadata, namespace: "doomed" } });
  await client.create(SERVICES, {
    metadata: { name: "web", namespace: "doomed" },
    spec: { selector: { app: "web" } },
  });
  await until("two pods run", () => harness.pods.list().filter(({ status }) => status?.podIP).length === 2);
  // The real API refuses to create in a namespace on its way out; here the owners must go along with the pods.
  await client.delete(DEPLOYMENTS, { namespace: "doomed", name: "web" });
  await client.delete(NAMESPACES, { name: "doomed" });
  await until("gone", async () => (await client.list(NAMESPACES)).items.length === 1);
  assert.equal((await client.list(SERVICES, { namespace: "doomed" })).items.length, 0);
  assert.equal((await client.list(CONFIG_MAPS, { namespace: "doomed" })).items.length, 0);
});
