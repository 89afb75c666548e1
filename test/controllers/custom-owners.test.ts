import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openRig, type Rig } from "#apiserver/testing/rig";
import { type Harness, openHarness } from "#controllers/harness";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { openClient } from "#kube/http-client";
import type { KubeObject } from "#kube/object";
import { CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, EVENTS, NAMESPACES } from "#kube/resources";

let rig: Rig;
let client: KubeClient & AsyncDisposable;
let harness: Harness;
const WIDGETS = { group: "example.com", version: "v1", kind: "Widget", plural: "widgets", namespaced: true };

before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "owners" });
  harness = await openHarness({ client });
  await client.create(NAMESPACES, { metadata: { name: "one" } });
  await client.create(NAMESPACES, { metadata: { name: "two" } });
  await client.create(CUSTOM_RESOURCE_DEFINITIONS, {
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
      versions: [
        { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
      ],
    },
  });
  await harness.until("widgets are served", async () =>
    (await client.resources()).some(({ plural }) => plural === "widgets"),
  );
});
after(async () => {
  await harness[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

function owner({ metadata }: KubeObject) {
  return { apiVersion: "example.com/v1", kind: "Widget", name: metadata.name, uid: metadata.uid ?? "" };
}

async function names(namespace: string): Promise<string> {
  const { items } = await client.list(CONFIG_MAPS, { namespace });
  return items
    .map(({ metadata }) => metadata.name)
    .filter((name) => name !== "kube-root-ca.crt")
    .sort()
    .join();
}

test("what a custom object owns goes with it; the collector follows kinds that come while it runs", async () => {
  const kept = await client.create<KubeObject>(WIDGETS, { metadata: { name: "kept", namespace: "one" } });
  const gone = await client.create<KubeObject>(WIDGETS, { metadata: { name: "gone", namespace: "one" } });
  const own = (name: string, ...owners: KubeObject[]) =>
    client.create(CONFIG_MAPS, { metadata: { name, namespace: "one", ownerReferences: owners.map(owner) } });
  await own("a", gone);
  await own("b", gone, kept);
  await own("c", kept);
  await client.delete(WIDGETS, gone.metadata);
  await harness.until("a is gone", async () => (await names("one")) === "b,c");
  await harness.until("b lost one owner", async () => {
    const { metadata } = await client.get(CONFIG_MAPS, { namespace: "one", name: "b" });
    return metadata.ownerReferences?.map(({ name }) => name).join() === "kept";
  });
});

test("an owner in another namespace is none, and its would-be dependent is told", async () => {
  const far = await client.create<KubeObject>(WIDGETS, { metadata: { name: "far", namespace: "two" } });
  await client.create(CONFIG_MAPS, {
    metadata: { name: "lost", namespace: "one", ownerReferences: [owner(far)] },
  });
  await harness.until("it is collected", async () => !(await names("one")).includes("lost"));
  await harness.until("and told", async () => {
    const { items } = await client.list(EVENTS, { namespace: "one" });
    return items.some(
      ({ reason, message }) =>
        reason === "OwnerRefInvalidNamespace" && /does not exist in namespace "one"/.test(message ?? ""),
    );
  });
});

test("what names a kind that nobody serves stays", async () => {
  const stranger = {
    apiVersion: "strange.io/v1",
    kind: "Stranger",
    name: "x",
    uid: "11111111-1111-1111-1111-111111111111",
  };
  await client.create(CONFIG_MAPS, {
    metadata: { name: "strange", namespace: "one", ownerReferences: [stranger] },
  });
  const marker = { ...stranger, apiVersion: "v1", kind: "ConfigMap" };
  await client.create(CONFIG_MAPS, {
    metadata: { name: "marker", namespace: "one", ownerReferences: [marker] },
  });
  await harness.until("the marker is collected", async () => !(await names("one")).includes("marker"));
  assert.match(await names("one"), /strange/);
});

test("a namespace goes with its custom objects, and says what it waits for", async () => {
  const held = { metadata: { name: "held", namespace: "two", finalizers: ["example.com/hold"] } };
  await client.create<KubeObject>(WIDGETS, held);
  await client.delete(NAMESPACES, { name: "two" });
  await harness.until("it waits for the finalizer", async () => {
    const { status } = await client.get(NAMESPACES, { name: "two" });
    const condition = status?.conditions?.find(({ type }) => type === "NamespaceFinalizersRemaining");
    return (
      condition?.status === "True" &&
      /example.com\/hold in 1 resource instances/.test(condition.message ?? "")
    );
  });
  const { status } = await client.get(NAMESPACES, { name: "two" });
  const remaining = status?.conditions?.find(({ type }) => type === "NamespaceContentRemaining");
  assert.match(remaining?.message ?? "", /widgets.example.com has 1 resource instances/);
  await client.patch(WIDGETS, held.metadata, { metadata: { finalizers: null } }, { type: "merge" });
  await harness.until("it is gone", async () => {
    try {
      await client.get(NAMESPACES, { name: "two" });
      return false;
    } catch (error) {
      return isApiFault(error, "NotFound");
    }
  });
  assert.deepEqual((await client.list<KubeObject>(WIDGETS, { namespace: "two" })).items, []);
});
