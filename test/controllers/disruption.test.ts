import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openRig, type Rig } from "#apiserver/testing/rig";
import { deployment, type Harness, openHarness } from "#controllers/harness";
import { ApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Pod } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import type { KubeObject } from "#kube/object";
import { DEPLOYMENTS, NAMESPACES, NODES, POD_DISRUPTION_BUDGETS, PODS } from "#kube/resources";

let rig: Rig;
let client: KubeClient & AsyncDisposable;
let harness: Harness;
const namespace = "default";

before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "disruption" });
  harness = await openHarness({ client });
  await client.create(NAMESPACES, { metadata: { name: "twice" } });
  for (const name of ["node-1", "node-2"]) await harness.addNode(name);
});
after(async () => {
  await harness[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

async function allowed(name: string, wanted: number): Promise<void> {
  await harness.until(`${name} allows ${wanted}`, async () => {
    const { status, metadata } = await client.get(POD_DISRUPTION_BUDGETS, { namespace, name });
    return status?.observedGeneration === metadata.generation && status?.disruptionsAllowed === wanted;
  });
}

async function evict(pod: Pod["metadata"], dryRun: readonly string[] = []): Promise<ApiFault | undefined> {
  const { name, namespace: place } = pod;
  const eviction = {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name, ...(place ? { namespace: place } : {}) },
    deleteOptions: { dryRun },
  };
  try {
    await client.create<KubeObject>(PODS, eviction, { subresource: "eviction" });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ApiFault, String(error));
    return error;
  }
}

/** The pretended kubelet looks at a pod again. */
async function touch(pod: Pod["metadata"]): Promise<void> {
  try {
    await client.patch(PODS, pod, { metadata: { annotations: { touched: "1" } } }, { type: "merge" });
  } catch (error) {
    assert.ok(error instanceof ApiFault && error.code === "NotFound", String(error));
  }
}

async function run(name: string, replicas: number): Promise<readonly Pod[]> {
  await client.create(DEPLOYMENTS, deployment(name, replicas));
  return await harness.until(`${replicas} of ${name} are ready`, async () => {
    const pods = (await client.list(PODS, { namespace, labelSelector: `app=${name}` })).items;
    const ready = pods.filter(({ status }) =>
      status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
    );
    return ready.length === replicas && ready;
  });
}

test("a budget follows its pods, lets go of as many as it may, and not one more", async () => {
  const pods = await run("web", 3);
  await client.create(POD_DISRUPTION_BUDGETS, {
    metadata: { name: "web", namespace },
    spec: { minAvailable: "67%", selector: { matchLabels: { app: "web" } } },
  });
  await allowed("web", 0);
  await client.patch(
    POD_DISRUPTION_BUDGETS,
    { namespace, name: "web" },
    { spec: { minAvailable: 2 } },
    { type: "merge" },
  );
  await allowed("web", 1);
  const [first] = pods;
  assert.ok(first);
  assert.equal(await evict(first.metadata, ["All"]), undefined, "a dry run is allowed");
  await allowed("web", 1);
  // nobody becomes ready meanwhile: of many evictions at once a single one may pass
  harness.becomesReady = () => false;
  const answers = await Promise.all(pods.map(({ metadata }) => evict(metadata)));
  const refusals = answers.filter((answer) => answer !== undefined);
  assert.equal(refusals.length, 2);
  const { spec } = await client.get(POD_DISRUPTION_BUDGETS, { namespace, name: "web" });
  assert.deepEqual(spec, { minAvailable: 2, selector: { matchLabels: { app: "web" } } }, "nothing of a pod");
  for (const refusal of refusals) {
    assert.deepEqual([refusal.status, refusal.code], [429, "TooManyRequests"]);
    assert.match(refusal.message, /Cannot evict pod as it would violate the pod's disruption budget\./);
    const [cause] = refusal.body?.details?.causes ?? [];
    assert.equal(cause?.reason, "DisruptionBudget");
    assert.match(
      cause?.message ?? "",
      /disruption budget web (needs 2 healthy pods and has \d currently|is still being|does not allow evicting)/,
    );
  }
  harness.becomesReady = () => true;
  for (const { metadata } of harness.pods.list()) await touch(metadata);
  await allowed("web", 1);
});

test("kubectl drain takes a node's pods as the budget allows", async () => {
  const loose = { spec: { minAvailable: 1 } };
  await client.patch(POD_DISRUPTION_BUDGETS, { namespace, name: "web" }, loose, { type: "merge" });
  await allowed("web", 2);
  const drained = await rig.kubectl(["drain", "node-1", "--timeout=15s", "--ignore-daemonsets", "--force"]);
  assert.equal(drained.code, 0, drained.stderr + drained.stdout);
  assert.match(drained.stdout, /node\/node-1 drained/);
  const left = (await client.list(PODS, { namespace })).items.filter(
    ({ spec }) => spec?.nodeName === "node-1",
  );
  assert.deepEqual(left, []);
  await client.patch(NODES, { name: "node-1" }, { spec: { unschedulable: null } }, { type: "merge" });
});

test("an unready pod may go while enough others are healthy, and always if the budget says so", async () => {
  harness.becomesReady = ({ metadata }) => !metadata.name.startsWith("sick");
  await client.create(DEPLOYMENTS, deployment("sick", 1));
  const sick = await harness.until("a pod that is not ready", async () => {
    const [pod] = (await client.list(PODS, { namespace, labelSelector: "app=sick" })).items;
    return pod?.spec?.nodeName ? pod : undefined;
  });
  await client.patch(
    PODS,
    sick.metadata,
    { status: { phase: "Running" } },
    { type: "merge", subresource: "status" },
  );
  await client.create(POD_DISRUPTION_BUDGETS, {
    metadata: { name: "sick", namespace },
    spec: { minAvailable: 1, selector: { matchLabels: { app: "sick" } } },
  });
  await allowed("sick", 0);
  assert.equal((await evict(sick.metadata))?.status, 429);
  const policy = { spec: { unhealthyPodEvictionPolicy: "AlwaysAllow" } };
  await client.patch(POD_DISRUPTION_BUDGETS, { namespace, name: "sick" }, policy, { type: "merge" });
  assert.equal(await evict(sick.metadata), undefined);
});

test("a pod of two budgets cannot be evicted; an evicted pod says why it goes", async () => {
  const place = { namespace: "twice", name: "p" };
  harness.deadNodes.add("nowhere");
  const spec = { containers: [{ name: "c", image: "i" }], nodeName: "nowhere" };
  await client.create(PODS, { metadata: { ...place, labels: { app: "p" } }, spec });
  await client.patch(PODS, place, { status: { phase: "Running" } }, { type: "merge", subresource: "status" });
  const selector = { matchLabels: { app: "p" } };
  for (const name of ["one", "two"])
    await client.create(POD_DISRUPTION_BUDGETS, {
      metadata: { name, namespace: "twice" },
      spec: { maxUnavailable: 1, selector },
    });
  const refusal = await evict(place);
  assert.equal(refusal?.status, 500);
  assert.match(refusal?.message ?? "", /more than one PodDisruptionBudget/);
  for (const name of ["one", "two"])
    await client.delete(POD_DISRUPTION_BUDGETS, { name, namespace: "twice" });
  assert.equal(await evict(place), undefined);
  const { status, metadata } = await client.get(PODS, place);
  assert.ok(metadata.deletionTimestamp);
  const condition = status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  assert.deepEqual([condition?.status, condition?.reason], ["True", "EvictionByEvictionAPI"]);
});
