import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { KubeClient } from "#kube/client";
import type { Pod, ResourceQuota } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import { CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_QUOTAS, SERVICES } from "#kube/resources";
import { createNamespace } from "../../testing/client.ts";
import { openRig, type Rig } from "../../testing/rig.ts";

let rig: Rig;
let client: KubeClient & AsyncDisposable;
before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "quota" });
});
after(async () => {
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

async function limited(namespace: string, spec: ResourceQuota["spec"]): Promise<string> {
  await createNamespace(rig, namespace);
  await client.create(RESOURCE_QUOTAS, { metadata: { name: "q", namespace }, spec });
  return namespace;
}

function pod(namespace: string, more: Partial<Pod["spec"]> = {}): Pod {
  const spec = { containers: [{ name: "c", image: "i" }], ...more };
  return { metadata: { name: "", generateName: "p-", namespace }, spec };
}

async function used(namespace: string, what: string, wanted: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  let last: unknown;
  do {
    const { status } = await client.get(RESOURCE_QUOTAS, { namespace, name: "q" });
    last = status?.used?.[what];
    if (last === wanted) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  } while (Date.now() < deadline);
  assert.equal(last, wanted, what);
}

test("fifty clients at once never exceed a quota, and get all of it", async () => {
  const namespace = await limited("crowd", { hard: { pods: "20", "count/configmaps": "30" } });
  const clients = Array.from({ length: 50 }, () =>
    openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "crowd" }),
  );
  const results = await Promise.allSettled(
    clients.flatMap((one, i) => [
      one.create(PODS, pod(namespace)),
      one.create(CONFIG_MAPS, { metadata: { name: `c${i}`, namespace } }),
    ]),
  );
  const refused = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
  for (const reason of refused)
    assert.match(reason, /exceeded quota: q, requested: (pods|count\/configmaps)=1/);
  assert.equal((await client.list(PODS, { namespace })).items.length, 20);
  assert.equal((await client.list(CONFIG_MAPS, { namespace })).items.length, 30);
  await used(namespace, "pods", "20");
  await Promise.all(clients.map((one) => one[Symbol.asyncDispose]()));
});

test("what is deleted can be used again at once", async () => {
  const namespace = await limited("again", { hard: { pods: "2" } });
  for (let round = 0; round < 5; round++) {
    const first = await client.create(PODS, pod(namespace));
    const second = await client.create(PODS, pod(namespace));
    await assert.rejects(
      client.create(PODS, { ...pod(namespace), metadata: { name: "third", namespace } }),
      /pods "third" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2/,
    );
    for (const { metadata } of [first, second]) await client.delete(PODS, metadata);
  }
  await used(namespace, "pods", "0");
});

test("a pod that is over uses no pods, but is still counted as an object", async () => {
  const namespace = await limited("over", { hard: { pods: "1", "count/pods": "2" } });
  const { metadata } = await client.create(PODS, pod(namespace));
  await client.patch(
    PODS,
    metadata,
    { status: { phase: "Succeeded" } },
    { type: "merge", subresource: "status" },
  );
  await client.create(PODS, pod(namespace));
  await used(namespace, "pods", "1");
  await used(namespace, "count/pods", "2");
  await assert.rejects(client.create(PODS, pod(namespace)), /requested: count\/pods=1,pods=1/);
});

test("containers must say what a quota limits, and their amounts add up", async () => {
  const hard = { "requests.cpu": "1", "limits.memory": "1Gi", cpu: "1" };
  const namespace = await limited("compute", { hard });
  await assert.rejects(
    client.create(PODS, { ...pod(namespace), metadata: { name: "p", namespace } }),
    /pods "p" is forbidden: failed quota: q: must specify cpu for: c; limits.memory for: c; requests.cpu for: c/,
  );
  await assert.rejects(
    client.create(PODS, {
      ...pod(namespace, {
        containers: [{ name: "c", image: "i" }],
        resources: { requests: { cpu: "2" } },
      }),
    }),
    /exceeded quota: q, requested: cpu=2,requests.cpu=2/,
  );
  const asks = (cpu: string, memory: string) => ({
    containers: [{ name: "c", image: "i", resources: { requests: { cpu }, limits: { memory } } }],
  });
  await client.create(PODS, pod(namespace, asks("600m", "512Mi")));
  await assert.rejects(
    client.create(PODS, pod(namespace, asks("500m", "1Mi"))),
    /exceeded quota: q, requested: cpu=500m,requests.cpu=500m, used: cpu=600m,requests.cpu=600m, limited: cpu=1,requests.cpu=1/,
  );
  await client.create(PODS, pod(namespace, asks("400m", "512Mi")));
  await used(namespace, "requests.cpu", "1");
  await used(namespace, "limits.memory", "1Gi");
});

test("scopes narrow a quota to some pods", async () => {
  const scopeSelector = {
    matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["system-node-critical"] }],
  };
  const namespace = await limited("scoped", { hard: { pods: "1" }, scopeSelector });
  const best = {
    metadata: { name: "best", namespace },
    spec: { hard: { pods: "1" }, scopes: ["Terminating"] },
  };
  await client.create(RESOURCE_QUOTAS, best);
  for (let i = 0; i < 3; i++) await client.create(PODS, pod(namespace));
  const critical = pod(namespace, { priorityClassName: "system-node-critical" });
  await client.create(PODS, critical);
  await assert.rejects(client.create(PODS, critical), /exceeded quota: q,/);
  await client.create(PODS, pod(namespace, { activeDeadlineSeconds: 5 }));
  await assert.rejects(
    client.create(PODS, pod(namespace, { activeDeadlineSeconds: 5 })),
    /exceeded quota: best,/,
  );
});

test("services are charged by their type and ports, also when they change", async () => {
  const hard = { services: "2", "services.nodeports": "2", "services.loadbalancers": "1" };
  const namespace = await limited("services", { hard });
  const ports = (...numbers: number[]) => numbers.map((port) => ({ name: `p${port}`, port }));
  const web = await client.create(SERVICES, {
    metadata: { name: "web", namespace },
    spec: { type: "ClusterIP", ports: ports(80, 81, 82) },
  });
  const grow = { spec: { type: "NodePort" } };
  await assert.rejects(
    client.patch(SERVICES, web.metadata, grow, { type: "merge" }),
    /services "web" is forbidden: exceeded quota: q, requested: services.nodeports=3, used: services.nodeports=0, limited: services.nodeports=2/,
  );
  await client.patch(
    SERVICES,
    web.metadata,
    { spec: { type: "NodePort", ports: ports(80, 81) } },
    { type: "merge" },
  );
  await used(namespace, "services.nodeports", "2");
  await client.patch(SERVICES, web.metadata, { spec: { ports: ports(80) } }, { type: "merge" });
  await used(namespace, "services.nodeports", "1");
  const balanced = { spec: { type: "LoadBalancer", ports: ports(80) } };
  await client.create(SERVICES, { metadata: { name: "lb", namespace }, ...balanced });
  await used(namespace, "services.loadbalancers", "1");
});

test("claims are charged by size and class", async () => {
  const hard = {
    persistentvolumeclaims: "3",
    "requests.storage": "10Gi",
    "gold.storageclass.storage.k8s.io/requests.storage": "4Gi",
    "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "2",
  };
  const namespace = await limited("claims", { hard });
  const claim = (name: string, storageClassName: string, storage: string) => ({
    metadata: { name, namespace },
    spec: { storageClassName, accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
  });
  await client.create(PERSISTENT_VOLUME_CLAIMS, claim("a", "gold", "3Gi"));
  await assert.rejects(
    client.create(PERSISTENT_VOLUME_CLAIMS, claim("b", "gold", "2Gi")),
    /requested: gold.storageclass.storage.k8s.io\/requests.storage=2Gi/,
  );
  await client.create(PERSISTENT_VOLUME_CLAIMS, claim("b", "", "7Gi"));
  await used(namespace, "requests.storage", "10Gi");
});

test("a quota made later counts what is there; a changed one counts anew; a dry run uses nothing", async () => {
  await createNamespace(rig, "later");
  const namespace = "later";
  for (let i = 0; i < 3; i++) await client.create(PODS, pod(namespace));
  await client.create(RESOURCE_QUOTAS, { metadata: { name: "q", namespace }, spec: { hard: { pods: "3" } } });
  await used(namespace, "pods", "3");
  await assert.rejects(client.create(PODS, pod(namespace)), /exceeded quota/);
  const ref = { namespace, name: "q" };
  await client.patch(RESOURCE_QUOTAS, ref, { spec: { hard: { pods: "4" } } }, { type: "merge" });
  const run = await rig.kubectl(["-n", namespace, "run", "dry", "--image=i", "--dry-run=server"]);
  assert.equal(run.code, 0, run.stderr);
  await client.create(PODS, pod(namespace));
  await used(namespace, "pods", "4");
});
