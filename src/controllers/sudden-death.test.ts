import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Job, Pod } from "#kube/generated/types";
import { DAEMON_SETS, DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, STATEFUL_SETS } from "#kube/resources";
import { deployment, type Harness, openHarness } from "./harness.ts";
import { indexOf, isTracked } from "./job/pods.ts";
import { isActive } from "./pods.ts";

/** A client that dies with its `writes`-th write: that one is carried out, and nobody hears of it or writes any more. */
function mortal(client: KubeClient, writes: number, onDeath: () => void): KubeClient {
  let left = writes;
  const write = async <T>(act: () => Promise<T>): Promise<T> => {
    const isLast = left-- === 1;
    if (left >= 0 && !isLast) return act();
    if (isLast) {
      await act().catch(() => {});
      onDeath();
    }
    throw new ApiFault("Unreachable", "dead");
  };
  return {
    get: (resource, ref) => client.get(resource, ref),
    list: (resource, options) => client.list(resource, options),
    watch: (resource, options) => client.watch(resource, options),
    scale: (resource, ref) => client.scale(resource, ref),
    resources: () => client.resources(),
    create: (resource, object, options) => write(() => client.create(resource, object, options)),
    replace: (resource, object, options) => write(() => client.replace(resource, object, options)),
    patch: (resource, ref, patch, options) => write(() => client.patch(resource, ref, patch, options)),
    deleteAll: (resource, options) => write(() => client.deleteAll(resource, options)),
    delete: (resource, ref, options) => write(() => client.delete(resource, ref, options)),
    bind: (pod, nodeName) => write(() => client.bind(pod, nodeName)),
  };
}

/** Controllers that die again and again, each time after that many writes. */
async function openMortal(writes: number): Promise<Harness & { readonly deaths: () => number }> {
  let deaths = 0;
  const revive = () => {
    deaths++;
    setImmediate(() => void harness.restart());
  };
  const harness: Harness = await openHarness({ through: (client) => mortal(client, writes, revive) });
  await harness.addNode("a");
  await harness.addNode("b");
  return Object.assign(harness, { deaths: () => deaths });
}

function template(app: string) {
  const labels = { app };
  const spec = { restartPolicy: "Always", containers: [{ name: "c", image: "c:1" }] };
  return { selector: { matchLabels: labels }, template: { metadata: { name: "", labels }, spec } };
}

function ended(job: Job): boolean {
  return job.status?.conditions?.some(({ type }) => type === "Complete" || type === "Failed") ?? false;
}

for (const writes of [3, 8]) {
  test(`a Job counts each pod once though its controller dies after every ${writes} writes`, async () => {
    await using harness = await openMortal(writes);
    const { client, until } = harness;
    const outcomes = new Map<string, string>();
    let most = 0;
    // Every third pod fails, once it runs.
    harness.ends = (pod) => {
      const uid = pod.metadata.uid ?? "";
      const phase = Number.parseInt(uid.slice(-4), 16) % 3 === 0 ? "Failed" : "Succeeded";
      outcomes.set(uid, outcomes.get(uid) ?? phase);
      return { phase: outcomes.get(uid) };
    };
    harness.pods.subscribe(() => {
      most = Math.max(most, harness.pods.list().filter(isActive).length);
    });
    const ref = { namespace: "default", name: "work" };
    const { selector, template: pod } = template("work");
    await client.create(JOBS, {
      metadata: ref,
      spec: {
        parallelism: 3,
        completions: 6,
        backoffLimit: 0,
        // Failures are counted, and no end of the Job.
        podFailurePolicy: undefined,
        backoffLimitPerIndex: undefined,
        selector,
        template: { ...pod, spec: { ...pod.spec, restartPolicy: "Never" } },
      },
    });
    const job = await until("its end", async () => {
      const found = await client.get(JOBS, ref);
      return ended(found) && found;
    });
    const pods = (await client.list(PODS)).items;
    const count = (phase: string) => pods.filter(({ status }) => status?.phase === phase).length;
    assert.ok(most <= 3, `${most} pods at once`);
    assert.equal(job.status?.succeeded ?? 0, count("Succeeded"));
    assert.ok((job.status?.failed ?? 0) >= count("Failed"));
    assert.deepEqual(pods.filter(isTracked), []);
    assert.ok(harness.deaths() > 0);
  });

  test(`an indexed Job has one pod an index though its controller dies after every ${writes} writes`, async () => {
    await using harness = await openMortal(writes);
    const { client, until } = harness;
    harness.ends = () => ({ phase: "Succeeded" });
    const started: number[] = [];
    harness.pods.subscribe((change) => {
      if (change.type === "added") started.push(indexOf(change.object) ?? -1);
    });
    const ref = { namespace: "default", name: "work" };
    const { selector, template: pod } = template("work");
    await client.create(JOBS, {
      metadata: ref,
      spec: {
        parallelism: 4,
        completions: 7,
        completionMode: "Indexed",
        backoffLimit: 6,
        selector,
        template: { ...pod, spec: { ...pod.spec, restartPolicy: "Never" } },
      },
    });
    const job = await until("its end", async () => {
      const found = await client.get(JOBS, ref);
      return ended(found) && found;
    });
    assert.equal(job.status?.completedIndexes, "0-6");
    assert.deepEqual(started.sort(), [0, 1, 2, 3, 4, 5, 6]);
  });
}

for (const writes of [9, 16, 20, 25]) {
  test(`sets of pods are never too large though their controllers die after every ${writes} writes`, async () => {
    await using harness = await openMortal(writes);
    const { client, until } = harness;
    const most = new Map<string, number>();
    const appOf = ({ metadata }: Pod) => metadata.labels?.["app"] ?? "";
    harness.pods.subscribe(() => {
      const active = Object.groupBy(harness.pods.list().filter(isActive), appOf);
      for (const [app, pods = []] of Object.entries(active))
        most.set(app, Math.max(most.get(app) ?? 0, pods.length));
    });
    await client.create(DEPLOYMENTS, deployment("web", 4));
    const namespace = "default";
    await client.create(STATEFUL_SETS, {
      metadata: { name: "db", namespace },
      spec: { replicas: 2, serviceName: "db", ...template("db") },
    });
    await client.create(DAEMON_SETS, { metadata: { name: "ds", namespace }, spec: template("ds") });
    const settled = (image: string) =>
      until(`all of ${image}`, async () => {
        const pods = (await client.list(PODS)).items;
        const running = pods.filter(({ status, spec }) => status?.phase === "Running" && spec?.nodeName);
        const apps = running.map(appOf).sort().join();
        return (
          apps === "db,db,ds,ds,web,web,web,web" &&
          running.some(({ spec }) => spec?.containers[0]?.image === image)
        );
      });
    await settled("web:1");
    assert.deepEqual(Object.fromEntries(most), { web: 4, db: 2, ds: 2 });
    const change = { spec: { template: { spec: { containers: [{ name: "web", image: "web:2" }] } } } };
    await client.patch(DEPLOYMENTS, { namespace, name: "web" }, change, { type: "strategic" });
    await until("rolled out", async () => {
      const { status, metadata } = await client.get(DEPLOYMENTS, { namespace, name: "web" });
      if (status?.observedGeneration !== metadata.generation) return false;
      return status?.updatedReplicas === 4 && status.replicas === 4 && status.availableReplicas === 4;
    });
    assert.ok((most.get("web") ?? 0) <= 5);
    assert.equal((await client.list(REPLICA_SETS)).items.length, 2);
  });
}
