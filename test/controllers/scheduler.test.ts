import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openRig, type Rig } from "#apiserver/testing/rig";
import { type Harness, openHarness } from "#controllers/harness";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Pod, PodSpec } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import {
  EVENTS,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  PRIORITY_CLASSES,
  SERVICE_ACCOUNTS,
  STORAGE_CLASSES,
} from "#kube/resources";

let rig: Rig;
let client: KubeClient & AsyncDisposable;
let harness: Harness;
const nodes = ["node-1", "node-2", "node-3"];

before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "scheduler" });
  harness = await openHarness({ client });
  for (const name of nodes) await harness.addNode(name);
});
after(async () => {
  await harness[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

async function makeNamespace(name: string): Promise<void> {
  await client.create(NAMESPACES, { metadata: { name } });
  await harness.until(`${name} is furnished`, async () => {
    return (await client.list(SERVICE_ACCOUNTS, { namespace: name })).items.length > 0;
  });
}

async function create(namespace: string, name: string, spec: Partial<PodSpec>, cpu = "0"): Promise<Pod> {
  const containers = [{ name: "c", image: "web:1", resources: { requests: { cpu } } }];
  return await client.create(PODS, {
    metadata: { name, namespace, labels: { app: name } },
    spec: { containers, ...spec },
  });
}

async function placed(namespace: string, name: string): Promise<string> {
  return await harness.until(`${name} has a node`, async () => {
    const pod = await client.get(PODS, { namespace, name });
    return pod.spec?.nodeName;
  });
}

/** The message the pod is pending with, once it starts as expected. */
async function pending(namespace: string, name: string, message: string): Promise<Pod> {
  let last: string | undefined;
  const pod = await harness
    .until("the message", async () => {
      const live = await client.get(PODS, { namespace, name });
      const condition = live.status?.conditions?.find(({ type }) => type === "PodScheduled");
      last = `${condition?.status} ${condition?.reason} ${condition?.message} ${live.spec?.nodeName ?? ""}`;
      return condition?.message === message && condition.reason === "Unschedulable" && live;
    })
    .catch(() => assert.fail(`${name} is not pending with ${message} but ${last}`));
  assert.equal(pod.spec?.nodeName, undefined);
  return pod;
}

async function clear(namespace: string): Promise<void> {
  for (const { metadata } of (await client.list(PODS, { namespace })).items)
    await client.delete(PODS, metadata, { gracePeriodSeconds: 0 });
  await harness.until(`${namespace} is empty`, async () => {
    return (await client.list(PODS, { namespace })).items.length === 0;
  });
}

const onPort = (hostPort: number, hostIP?: string) => ({
  containers: [
    { name: "c", image: "web:1", ports: [{ containerPort: 80, hostPort, ...(hostIP ? { hostIP } : {}) }] },
  ],
});

test("a host port is one pod's on each node; the next waits, and says why", async () => {
  await makeNamespace("ports");
  for (const i of [1, 2, 3]) await create("ports", `p${i}`, onPort(8080));
  const places = await Promise.all([1, 2, 3].map((i) => placed("ports", `p${i}`)));
  assert.deepEqual(places.sort(), nodes);
  await create("ports", "p4", onPort(8080, "127.0.0.1"));
  const none = "0/3 nodes are available:";
  const why = `${none} 3 node(s) didn't have free ports for the requested pod ports.`;
  await pending(
    "ports",
    "p4",
    `${why} no new claims to deallocate, preemption: ${none} 3 No preemption victims found for incoming pod.`,
  );
  const described = await rig.kubectl(["describe", "pod", "p4", "-n", "ports"]);
  assert.match(
    described.stdout,
    /Warning +FailedScheduling +\S+ +default-scheduler +0\/3 nodes are available: 3 node\(s\) didn't have free ports/,
  );
  await client.delete(PODS, { namespace: "ports", name: "p2" }, { gracePeriodSeconds: 0 });
  await placed("ports", "p4");
  await clear("ports");
});

test("the more important pod gets the place of the less important one", async () => {
  await makeNamespace("rank");
  for (const [name, value] of [
    ["low", 1],
    ["high", 1000],
  ] as const)
    await client.create(PRIORITY_CLASSES, { metadata: { name }, value, globalDefault: false });
  for (const i of [1, 2, 3]) await create("rank", `low-${i}`, { priorityClassName: "low" }, "3");
  for (const i of [1, 2, 3]) await placed("rank", `low-${i}`);
  // the kubelets say nothing for a while, so that victims are seen leaving
  for (const name of nodes) harness.deadNodes.add(name);
  await create("rank", "high", { priorityClassName: "high" }, "3");
  const victim = await harness.until("a victim", async () => {
    const { items } = await client.list(PODS, { namespace: "rank" });
    return items.find(({ metadata }) => metadata.deletionTimestamp);
  });
  const target = victim.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  assert.deepEqual(
    [target?.status, target?.reason, target?.message],
    ["True", "PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod"],
  );
  const high = await harness.until("a nomination", async () => {
    const pod = await client.get(PODS, { namespace: "rank", name: "high" });
    return pod.status?.nominatedNodeName ? pod : undefined;
  });
  assert.equal(high.status?.nominatedNodeName, victim.spec?.nodeName);
  // what would fit beside the leaving victim alone does not take the place it leaves
  await create("rank", "small", { priorityClassName: "low", nodeName: undefined }, "2");
  harness.deadNodes.clear();
  await client.delete(PODS, victim.metadata, { gracePeriodSeconds: 0 });
  assert.equal(await placed("rank", "high"), victim.spec?.nodeName);
  const settled = await client.get(PODS, high.metadata);
  assert.equal(settled.status?.nominatedNodeName, undefined);
  const message = `Preempted by pod ${high.metadata.uid} on node ${victim.spec?.nodeName}`;
  await harness.until("the victim's event", async () => {
    const { items } = await client.list(EVENTS, { namespace: "rank" });
    return items.some((event) => event.reason === "Preempted" && event.message === message);
  });
  await client.create(PRIORITY_CLASSES, {
    metadata: { name: "polite" },
    value: 1000,
    preemptionPolicy: "Never",
  });
  await create("rank", "polite", { priorityClassName: "polite" }, "4");
  await pending(
    "rank",
    "polite",
    "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.",
  );
  await clear("rank");
});

test("a gated pod is not tried, a pod of another scheduler left alone, and a bound one not bound again", async () => {
  await makeNamespace("gates");
  await create("gates", "gated", { schedulingGates: [{ name: "example.com/wait" }] });
  await create("gates", "foreign", { schedulerName: "mine" });
  await create("gates", "plain", {});
  await placed("gates", "plain");
  for (const name of ["gated", "foreign"]) {
    const { spec } = await client.get(PODS, { namespace: "gates", name });
    assert.equal(spec?.nodeName, undefined, name);
  }
  const shown = await rig.kubectl(["get", "pod", "gated", "-n", "gates", "--no-headers"]);
  assert.match(shown.stdout, /SchedulingGated/);
  await client.patch(
    PODS,
    { namespace: "gates", name: "gated" },
    { spec: { schedulingGates: null } },
    { type: "merge" },
  );
  await placed("gates", "gated");
  const { metadata } = await client.get(PODS, { namespace: "gates", name: "plain" });
  const bindAgain = async () => {
    try {
      await client.bind({ namespace: "gates", name: "plain", uid: metadata.uid ?? "" }, "node-2");
      return undefined;
    } catch (error) {
      return error;
    }
  };
  await harness.until("the refusal (a connection may break first)", async () => {
    const error = await bindAgain();
    assert.ok(error, "bound twice");
    if (!isApiFault(error, "Unreachable")) assert.ok(isApiFault(error, "Conflict"), String(error));
    return isApiFault(error, "Conflict");
  });
  await clear("gates");
});

test("a claim that waits for its pod gets a volume of the node, and the pod its node afterwards", async () => {
  await makeNamespace("disks");
  await client.create(STORAGE_CLASSES, {
    metadata: { name: "local" },
    provisioner: "kubernetes.io/no-provisioner",
    volumeBindingMode: "WaitForFirstConsumer",
  });
  const claim = (name: string, storageClassName: string) =>
    client.create(PERSISTENT_VOLUME_CLAIMS, {
      metadata: { name, namespace: "disks" },
      spec: { accessModes: ["ReadWriteOnce"], storageClassName, resources: { requests: { storage: "1Gi" } } },
    });
  const using = (claimName: string) => ({
    volumes: [{ name: "data", persistentVolumeClaim: { claimName } }],
  });
  await create("disks", "early", using("data"));
  const none = "0/3 nodes are available:";
  const hopeless = `no new claims to deallocate, preemption: ${none} 3 Preemption is not helpful for scheduling.`;
  await pending("disks", "early", `${none} persistentvolumeclaim "data" not found. not found`);
  await claim("data", "local");
  const bind = "3 node(s) didn't find available persistent volumes to bind.";
  await pending("disks", "early", `${none} ${bind} ${hopeless}`);
  await client.create(PERSISTENT_VOLUMES, {
    metadata: { name: "disk-2" },
    spec: {
      capacity: { storage: "2Gi" },
      accessModes: ["ReadWriteOnce"],
      storageClassName: "local",
      local: { path: "/mnt" },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["node-2"] }] },
          ],
        },
      },
    },
  });
  const available = { status: { phase: "Available" } };
  await client.patch(PERSISTENT_VOLUMES, { name: "disk-2" }, available, {
    type: "merge",
    subresource: "status",
  });
  const volume = await harness.until("the volume is promised", async () => {
    const live = await client.get(PERSISTENT_VOLUMES, { name: "disk-2" });
    return live.spec?.claimRef && live;
  });
  assert.deepEqual([volume.spec?.claimRef?.namespace, volume.spec?.claimRef?.name], ["disks", "data"]);
  // what the volume controller does
  await client.patch(
    PERSISTENT_VOLUME_CLAIMS,
    { namespace: "disks", name: "data" },
    {
      metadata: { annotations: { "pv.kubernetes.io/bind-completed": "yes" } },
      spec: { volumeName: "disk-2" },
    },
    { type: "merge" },
  );
  assert.equal(await placed("disks", "early"), "node-2");
  await claim("now", "");
  await create("disks", "late", using("now"));
  await pending("disks", "late", `${none} pod has unbound immediate PersistentVolumeClaims. not found`);
  await clear("disks");
});

test("a scheduler that dies loses no pod and its successor binds none twice", async () => {
  await makeNamespace("crash");
  const names = Array.from({ length: 30 }, (_, i) => `p${i}`);
  const bound = new Map<string, number>();
  const through = (inner: KubeClient, limit: number): KubeClient => {
    let calls = 0;
    return withBind(inner, async (pod, nodeName) => {
      // the first one dies with many of its answers outstanding
      if (++calls > limit) return await new Promise(() => {});
      await inner.bind(pod, nodeName);
      bound.set(pod.name, (bound.get(pod.name) ?? 0) + 1);
    });
  };
  await harness[Symbol.asyncDispose]();
  const dying = await openHarness({ client, through: (inner) => through(inner, 12) });
  dying.becomesReady = () => false;
  await Promise.all(names.map((name) => create("crash", name, {}, "50m")));
  await dying.until("half of them are bound", () => bound.size >= 12);
  await dying[Symbol.asyncDispose]();
  harness = await openHarness({ client, through: (inner) => through(inner, 1000) });
  await harness.until("all are bound", async () => {
    const { items } = await client.list(PODS, { namespace: "crash" });
    return items.length === 30 && items.every(({ spec }) => spec?.nodeName);
  });
  assert.deepEqual([...new Set(bound.values())], [1]);
  assert.equal(bound.size, 30);
  await clear("crash");
});

test("a node that comes, is cordoned or loses its taint changes who may go there", async () => {
  await makeNamespace("news");
  await create("news", "far", { nodeSelector: { disk: "ssd" } });
  const none = "0/3 nodes are available:";
  await pending(
    "news",
    "far",
    `${none} 3 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: ${none} 3 Preemption is not helpful for scheduling.`,
  );
  await harness.addNode("node-4", {
    metadata: { name: "node-4", labels: { disk: "ssd" } },
    spec: { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] },
  });
  const more = "0/4 nodes are available:";
  const reasons = "1 node(s) had untolerated taint(s), 3 node(s) didn't match Pod's node affinity/selector.";
  const touched = { metadata: { labels: { touched: "yes" } } };
  await client.patch(PODS, { namespace: "news", name: "far" }, touched, { type: "merge" });
  await pending(
    "news",
    "far",
    `${more} ${reasons} no new claims to deallocate, preemption: ${more} 4 Preemption is not helpful for scheduling.`,
  );
  await client.patch(NODES, { name: "node-4" }, { spec: { taints: null } }, { type: "merge" });
  assert.equal(await placed("news", "far"), "node-4");
  await clear("news");
});

/** The client with another way to bind. */
function withBind(client: KubeClient, bind: KubeClient["bind"]): KubeClient {
  return new Proxy(client, {
    get(target, name) {
      if (name === "bind") return bind;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
