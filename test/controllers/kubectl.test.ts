import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openRig, type Rig } from "#apiserver/testing/rig";
import { type Harness, openHarness } from "#controllers/harness";
import type { KubeClient } from "#kube/client";
import { openClient } from "#kube/http-client";
import { CONFIG_MAPS, DEPLOYMENTS, ENDPOINT_SLICES, NAMESPACES, PODS } from "#kube/resources";

let rig: Rig;
let client: KubeClient & AsyncDisposable;
let harness: Harness;

before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "controllers" });
  harness = await openHarness({ client });
  for (const name of ["node-1", "node-2", "node-3"]) await harness.addNode(name);
});
after(async () => {
  await harness[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

async function kubectl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.kubectl(args);
  assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

async function apply(manifest: unknown): Promise<void> {
  const { code, stderr } = await rig.kubectl(["apply", "-f", "-"], { input: JSON.stringify(manifest) });
  assert.equal(code, 0, stderr);
}

function web(image: string, replicas = 3) {
  const labels = { app: "web" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: "web", image, ports: [{ containerPort: 8080 }] }] },
      },
    },
  };
}

async function podImages(): Promise<string> {
  const { items } = await client.list(PODS, { namespace: "default", labelSelector: "app=web" });
  const alive = items.filter(({ metadata }) => !metadata.deletionTimestamp);
  return alive
    .map(({ spec }) => spec?.containers[0]?.image)
    .sort()
    .join();
}

test("a Deployment is created, spread over the nodes, and has endpoints", async () => {
  await apply(web("web:1"));
  assert.match(
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s"),
    /successfully rolled out/,
  );
  const { items } = await client.list(PODS, { namespace: "default", labelSelector: "app=web" });
  assert.deepEqual(items.map(({ spec }) => spec?.nodeName).sort(), ["node-1", "node-2", "node-3"]);
  await kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080");
  await harness.until("three ready endpoints", async () => {
    const slices = await client.list(ENDPOINT_SLICES, { labelSelector: "kubernetes.io/service-name=web" });
    return (
      slices.items.flatMap(({ endpoints }) => endpoints ?? []).filter(({ conditions }) => conditions?.ready)
        .length === 3
    );
  });
  assert.match(await kubectl("get", "deployment", "web"), /web\s+3\/3\s+3\s+3/);
});

test("set image, history and undo", async () => {
  await kubectl("set", "image", "deployment/web", "web=web:2");
  assert.match(
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s"),
    /successfully rolled out/,
  );
  await harness.until("old pods are gone", async () => (await podImages()) === "web:2,web:2,web:2");
  assert.match(await kubectl("rollout", "history", "deployment/web"), /1\s+<none>\n2\s+<none>/);
  await kubectl("rollout", "undo", "deployment/web");
  assert.match(
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s"),
    /successfully rolled out/,
  );
  await harness.until("back", async () => (await podImages()) === "web:1,web:1,web:1");
  assert.match(await kubectl("rollout", "history", "deployment/web"), /2\s+<none>\n3\s+<none>/);
});

test("restart, scale and describe", async () => {
  const before = (await client.list(PODS, { namespace: "default" })).items.map(
    ({ metadata }) => metadata.uid,
  );
  await kubectl("rollout", "restart", "deployment/web");
  assert.match(
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s"),
    /successfully rolled out/,
  );
  await harness.until("all pods are new", async () => {
    const { items } = await client.list(PODS, { namespace: "default" });
    return items.length === 3 && items.every(({ metadata }) => !before.includes(metadata.uid));
  });
  await kubectl("scale", "deployment/web", "--replicas=5");
  await kubectl("wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=5", "--timeout=10s");
  await kubectl("scale", "deployment/web", "--replicas=1");
  await harness.until("one left", async () => (await podImages()) === "web:1");
  await kubectl("wait", "deployment/web", "--for=jsonpath={.status.replicas}=1", "--timeout=10s");
  const text = await kubectl("describe", "deployment", "web");
  assert.match(text, /Scaled down replica set web-\w+ from 5 to 1/);
  assert.match(text, /1 desired \| 1 updated \| 1 total \| 1 available \| 0 unavailable/);
});

test("pause holds a roll-out, resume lets it go", async () => {
  await kubectl("rollout", "pause", "deployment/web");
  await kubectl("set", "image", "deployment/web", "web=web:3");
  await harness.until("noted", async () => {
    const { status } = await client.get(DEPLOYMENTS, { namespace: "default", name: "web" });
    return status?.conditions?.some(({ reason }) => reason === "DeploymentPaused");
  });
  assert.equal(await podImages(), "web:1");
  await kubectl("rollout", "resume", "deployment/web");
  assert.match(
    await kubectl("rollout", "status", "deployment/web", "--timeout=10s"),
    /successfully rolled out/,
  );
  await harness.until("new image", async () => (await podImages()) === "web:3");
});

for (const cascade of ["foreground", "orphan", "background"]) {
  test(`delete --cascade=${cascade}`, async () => {
    await apply(web("web:1", 2));
    assert.match(
      await kubectl("rollout", "status", "deployment/web", "--timeout=10s"),
      /successfully rolled out/,
    );
    await kubectl("delete", "deployment", "web", `--cascade=${cascade}`, "--timeout=15s");
    const wanted = cascade === "orphan" ? 2 : 0;
    await harness.until(`${wanted} pods left`, async () => {
      const { items } = await client.list(PODS, { namespace: "default", labelSelector: "app=web" });
      return items.length === wanted;
    });
  });
}

test("a new namespace is furnished, and a deleted one goes with all it holds", async () => {
  await kubectl("create", "namespace", "brief");
  const published = await harness.until("certificate", async () => {
    const { items } = await client.list(CONFIG_MAPS, { namespace: "brief" });
    return items[0];
  });
  assert.deepEqual(published.data, { "ca.crt": "CA" });
  await kubectl("-n", "brief", "create", "deployment", "web", "--image=web:1", "--replicas=2");
  assert.match(
    await kubectl("-n", "brief", "rollout", "status", "deployment/web", "--timeout=10s"),
    /successfully/,
  );
  await kubectl("delete", "namespace", "brief", "--timeout=15s");
  const { items } = await client.list(NAMESPACES);
  assert.ok(!items.some(({ metadata }) => metadata.name === "brief"));
});

test("a DaemonSet rolls out, is updated, and undone", async () => {
  const labels = { app: "daemon" };
  const manifest = {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "daemon", namespace: "default" },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "d", image: "d:1" }] } },
    },
  };
  await apply(manifest);
  assert.match(
    await kubectl("rollout", "status", "daemonset/daemon", "--timeout=10s"),
    /successfully rolled out/,
  );
  await kubectl("set", "image", "daemonset/daemon", "d=d:2");
  assert.match(
    await kubectl("rollout", "status", "daemonset/daemon", "--timeout=10s"),
    /successfully rolled out/,
  );
  await kubectl("rollout", "undo", "daemonset/daemon");
  assert.match(
    await kubectl("rollout", "status", "daemonset/daemon", "--timeout=10s"),
    /successfully rolled out/,
  );
  const { items } = await client.list(PODS, { namespace: "default", labelSelector: "app=daemon" });
  assert.deepEqual(
    items.map(({ spec }) => spec?.containers[0]?.image),
    ["d:1", "d:1", "d:1"],
  );
});
