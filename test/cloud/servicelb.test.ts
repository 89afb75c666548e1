import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { openRig, type Rig } from "#apiserver/testing/rig";
import { SERVICELB } from "#cloud/names";
import { FINALIZER, LEGACY_FINALIZER, SERVICELB_DEFAULTS } from "#cloud/servicelb/model";
import { retireServiceLb, runServiceLb } from "#cloud/servicelb/run";
import { type Harness, openHarness } from "#controllers/harness";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { DaemonSet, Service, ServicePort } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import { DAEMON_SETS, EVENTS, NODES, PODS, SERVICE_ACCOUNTS, SERVICES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";

const NODE_IPS = { "node-1": "192.0.2.1", "node-2": "192.0.2.2" };
const system = SERVICELB_DEFAULTS.namespace;

let rig: Rig;
let client: KubeClient & AsyncDisposable;
let harness: Harness;
let lb: { readonly stop: () => Promise<void> } | undefined;

before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "controllers" });
  harness = await openHarness({ client });
  for (const [name, address] of Object.entries(NODE_IPS))
    await harness.addNode(name, { status: { addresses: [{ type: "InternalIP", address }] } });
  start();
});
after(async () => {
  await lb?.stop();
  await harness[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

function options(signal: AbortSignal) {
  return { client, config: SERVICELB_DEFAULTS, clock: systemClock, log: silentLog, signal };
}

function start(): void {
  const life = new AbortController();
  const running = runServiceLb(options(life.signal));
  lb = {
    stop: async () => {
      life.abort();
      await running;
      lb = undefined;
    },
  };
}

/** Every test leaves the ports free for the next. */
afterEach(async () => {
  if (lb === undefined) start();
  for (const { metadata } of (await client.list(SERVICES, { namespace: "default" })).items)
    if (metadata.name !== "kubernetes") await client.delete(SERVICES, metadata);
  await harness.until("no load balancers are left", async () => {
    const { items } = await client.list(PODS, { namespace: system, labelSelector: SERVICELB.serviceName });
    return items.length === 0 && (await daemonSets()).length === 0;
  });
});

const port = (number: number, more: Partial<ServicePort> = {}): ServicePort => ({
  name: `p${number}-${(more.protocol ?? "tcp").toLowerCase()}`,
  port: number,
  ...more,
});

async function serve(
  name: string,
  spec: Service["spec"] = {},
  metadata: Partial<Service["metadata"]> = {},
): Promise<Service> {
  return await client.create(SERVICES, {
    metadata: { name, namespace: "default", ...metadata },
    spec: { type: "LoadBalancer", selector: { app: name }, ports: [port(80)], ...spec },
  });
}

const get = (name: string) => client.get(SERVICES, { namespace: "default", name });
const change = (name: string, patch: object) =>
  client.patch(SERVICES, { namespace: "default", name }, patch, { type: "merge" });

async function daemonSets(service?: string): Promise<readonly DaemonSet[]> {
  const labelSelector = service ? `${SERVICELB.serviceName}=${service}` : SERVICELB.nodeSelector;
  return (await client.list(DAEMON_SETS, { labelSelector })).items;
}

async function only(service: string): Promise<DaemonSet> {
  return await harness.until(`${service} has one DaemonSet`, async () => {
    const [first, ...rest] = await daemonSets(service);
    return rest.length === 0 && first;
  });
}

function until(what: string, holds: () => Promise<unknown>): Promise<unknown> {
  return harness.until(what, async () => Boolean(await holds()));
}

function addressesOf({ status }: Service): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? "");
}

async function shows(name: string, ...addresses: readonly string[]): Promise<void> {
  let last: readonly string[] = [];
  await until(`${name} is at ${addresses}`, async () => {
    last = addressesOf(await get(name));
    return last.join() === addresses.join();
  });
}

async function hasEvent(name: string, reason: string, words: RegExp = /./): Promise<void> {
  await until(`${name} hears ${reason} ${words}`, async () => {
    const { items } = await client.list(EVENTS, { namespace: "default" });
    return items.some(
      (each) => each.involvedObject.name === name && each.reason === reason && words.test(each.message ?? ""),
    );
  });
}

async function isGone(name: string): Promise<boolean> {
  try {
    await get(name);
    return false;
  } catch (error) {
    if (isApiFault(error, "NotFound")) return true;
    throw error;
  }
}

const all = Object.values(NODE_IPS);

test("a Service of type LoadBalancer is at the nodes on which its pods run, and says so", async () => {
  await serve("web");
  await shows("web", ...all);
  const { metadata, status } = await get("web");
  assert.deepEqual(metadata.finalizers, [FINALIZER]);
  assert.deepEqual(
    status?.loadBalancer?.ingress?.map(({ ipMode }) => ipMode),
    ["VIP", "VIP"],
  );
  const { metadata: made } = await only("web");
  assert.equal(made.name, `svclb-web-${metadata.uid?.slice(0, 8)}`);
  for (const reason of ["EnsuringLoadBalancer", "AppliedDaemonSet", "UpdatedLoadBalancer"])
    await hasEvent("web", reason);
  await client.get(SERVICE_ACCOUNTS, { namespace: system, name: "svclb" });
});

test("deleted, it is gone with all that was made for it", async () => {
  await serve("web");
  await shows("web", ...all);
  await client.delete(SERVICES, { namespace: "default", name: "web" });
  await until("the Service is gone", () => isGone("web"));
  await until("and its DaemonSet", async () => (await daemonSets()).length === 0);
  for (const reason of ["DeletingLoadBalancer", "DeletedDaemonSet", "DeletedLoadBalancer"])
    await hasEvent("web", reason);
});

test("made into another type it loses all of it, and gets it again", async () => {
  await serve("web");
  await shows("web", ...all);
  await change("web", { spec: { type: "ClusterIP" } });
  await until("there is no DaemonSet", async () => (await daemonSets()).length === 0);
  await until("and no finalizer", async () => ((await get("web")).metadata.finalizers ?? []).length === 0);
  assert.deepEqual(addressesOf(await get("web")), []);
  await hasEvent("web", "Type", /LoadBalancer -> ClusterIP/);
  await change("web", { spec: { type: "LoadBalancer" } });
  await shows("web", ...all);
});

test("a class is somebody else's: nothing of it is touched", async () => {
  const foreign = await serve("theirs", { loadBalancerClass: "example.com/lb" });
  const ingress = [{ ip: "203.0.113.7" }];
  await client.patch(
    SERVICES,
    foreign.metadata,
    { status: { loadBalancer: { ingress } } },
    {
      type: "merge",
      subresource: "status",
    },
  );
  const before = await get("theirs");
  await serve("web");
  await shows("web", ...all);
  assert.deepEqual(await get("theirs"), before);
});

test("a Service that goes to somebody else takes nothing of ours along, and keeps what is theirs", async () => {
  await serve("web");
  await shows("web", ...all);
  await lb?.stop();
  await change("web", { spec: { type: "ClusterIP" } });
  await change("web", { spec: { type: "LoadBalancer", loadBalancerClass: "example.com/lb" } });
  await client.delete(DAEMON_SETS, (await only("web")).metadata);
  const held = await serve("held", { loadBalancerClass: "example.com/lb" }, { finalizers: [FINALIZER] });
  start();
  await until("ours is off", async () => ((await get("web")).metadata.finalizers ?? []).length === 0);
  assert.deepEqual(await get("held"), held);
  await client.patch(SERVICES, held.metadata, { metadata: { finalizers: null } }, { type: "merge" });
});

test("the second Service at a port waits, says who holds it, and gets it as soon as it is free", async () => {
  await serve("first");
  await shows("first", ...all);
  await serve("second");
  await hasEvent(
    "second",
    "PortTaken",
    /port 80\/TCP is held by Service default\/first on nodes node-1, node-2/,
  );
  assert.deepEqual(addressesOf(await get("second")), []);
  await client.delete(SERVICES, { namespace: "default", name: "first" });
  await shows("second", ...all);
});

test("where some nodes are free, those are listed; a pod that holds a port is named", async () => {
  await client.create(PODS, {
    metadata: { name: "proxy", namespace: "default" },
    spec: {
      nodeName: "node-1",
      priorityClassName: "system-node-critical",
      containers: [{ name: "c", image: "c:1", ports: [{ containerPort: 80, hostPort: 80 }] }],
    },
  });
  await serve("web");
  await shows("web", "192.0.2.2");
  await hasEvent("web", "PortTaken", /port 80\/TCP is held by pod default\/proxy on node node-1$/);
  await client.delete(PODS, { namespace: "default", name: "proxy" }, { gracePeriodSeconds: 0 });
  await shows("web", ...all);
});

test("labels of nodes and pools choose, at once and back", async () => {
  const label = (name: string, labels: Readonly<Record<string, string | null>>) =>
    client.patch(NODES, { name }, { metadata: { labels } }, { type: "merge" });
  await serve("web");
  await shows("web", ...all);
  await label("node-2", { [SERVICELB.enable]: "true" });
  await shows("web", "192.0.2.2");
  assert.equal((await only("web")).metadata.labels?.[SERVICELB.nodeSelector], "true");
  await label("node-1", { [SERVICELB.enable]: "true", [SERVICELB.pool]: "a" });
  await shows("web", ...all);
  await change("web", { metadata: { labels: { [SERVICELB.pool]: "a" } } });
  await shows("web", "192.0.2.1");
  await label("node-1", { [SERVICELB.enable]: null, [SERVICELB.pool]: null });
  await until("no node of the pool is left", async () => addressesOf(await get("web")).length === 0);
  await hasEvent("web", "UnAvailableLoadBalancer", /^There are no available nodes for LoadBalancer$/);
  await label("node-2", { [SERVICELB.enable]: null });
  await shows("web", ...all);
  assert.equal((await only("web")).metadata.labels?.[SERVICELB.nodeSelector], "false");
});

test("pools share a port: each Service has the nodes of its own", async () => {
  const label = (name: string, pool: string | null) =>
    client.patch(
      NODES,
      { name },
      { metadata: { labels: { [SERVICELB.enable]: pool && "true", [SERVICELB.pool]: pool } } },
      { type: "merge" },
    );
  await label("node-1", "a");
  await label("node-2", "b");
  await serve("in-a", { ports: [port(443)] }, { labels: { [SERVICELB.pool]: "a" } });
  await serve("in-b", { ports: [port(443)] }, { labels: { [SERVICELB.pool]: "b" } });
  await shows("in-a", "192.0.2.1");
  await shows("in-b", "192.0.2.2");
  await client.delete(SERVICES, { namespace: "default", name: "in-b" });
  await change("in-a", { metadata: { labels: { [SERVICELB.pool]: null } } });
  await shows("in-a", ...all);
  await label("node-1", null);
  await shows("in-a", "192.0.2.2");
  await label("node-2", null);
  await shows("in-a", ...all);
});

test("an address that a node gets later is the Service's at once", async () => {
  await serve("web");
  await shows("web", ...all);
  const addresses = [
    { type: "InternalIP", address: "192.0.2.1" },
    { type: "ExternalIP", address: "203.0.113.1" },
  ];
  const write = (list: typeof addresses) =>
    client.patch(
      NODES,
      { name: "node-1" },
      { status: { addresses: list } },
      {
        type: "merge",
        subresource: "status",
      },
    );
  await write(addresses);
  await shows("web", "203.0.113.1");
  await write(addresses.slice(0, 1));
  await shows("web", ...all);
});

test("what others make of its DaemonSet is put right, but for what they may add", async () => {
  await serve("web");
  const { metadata } = await only("web");
  await shows("web", ...all);
  const hidden = { metadata: { labels: { [SERVICELB.nodeSelector]: null } } };
  const edits: readonly object[] = [
    { spec: { template: { spec: { hostPID: true, containers: [{ name: "own", image: "x:1" }] } } } },
    { metadata: { labels: { [SERVICELB.serviceName]: "other" } } },
    hidden,
    { spec: { template: { spec: { nodeSelector: { a: "b" } } } } },
  ];
  for (const edit of edits) {
    await client.patch(DAEMON_SETS, metadata, edit, { type: "merge" });
    await until(`put right: ${JSON.stringify(edit)}`, async () => {
      const { spec, metadata: now } = await client.get(DAEMON_SETS, metadata);
      const pods = spec?.template.spec;
      return (
        pods?.containers[0]?.name === "lb-tcp-80" &&
        !pods.hostPID &&
        pods.nodeSelector === undefined &&
        now.labels?.[SERVICELB.serviceName] === "web" &&
        now.labels[SERVICELB.nodeSelector] === "false"
      );
    });
  }
  const annotations = { "kubectl.kubernetes.io/restartedAt": "now" };
  await client.patch(
    DAEMON_SETS,
    metadata,
    { spec: { template: { metadata: { annotations } } } },
    { type: "merge" },
  );
  await client.delete(DAEMON_SETS, metadata);
  await until("it is there again", async () => {
    const [daemonSet] = await daemonSets("web");
    return daemonSet && daemonSet.metadata.uid !== metadata.uid;
  });
  await shows("web", ...all);
});

test("started again it changes nothing; what happened meanwhile it makes up for", async () => {
  await serve("web");
  await serve("gone", { ports: [port(81)] });
  await shows("web", ...all);
  await shows("gone", ...all);
  const rest = await only("web");
  await lb?.stop();
  const before = [await get("web"), (await only("web")).metadata.generation];
  await client.delete(SERVICES, { namespace: "default", name: "gone" });
  start();
  await until("what was deleted meanwhile is gone", () => isGone("gone"));
  await serve("later", { ports: [port(82)] });
  await shows("later", ...all);
  assert.deepEqual([await get("web"), (await only("web")).metadata.generation], before);
  assert.equal((await only("web")).metadata.uid, rest.metadata.uid);
});

test("what cannot be read is told, and mended as soon as it can", async () => {
  const annotations = { [SERVICELB.tolerations]: "[{operator: Equal, value: x}]" };
  await serve("web", {}, { annotations });
  await hasEvent(
    "web",
    "SyncLoadBalancerFailed",
    /toleration 0: toleration with empty key must have operator/,
  );
  assert.deepEqual(await daemonSets("web"), []);
  await change("web", { metadata: { annotations: { [SERVICELB.tolerations]: "[{operator: Exists}]" } } });
  await shows("web", ...all);
  await change("web", { metadata: { annotations: { [SERVICELB.tolerations]: "x".repeat(200_000) } } });
  await hasEvent("web", "SyncLoadBalancerFailed", /200000 characters are more than/);
  await shows("web", ...all);
});

test("a priority class that does not exist is named", async () => {
  await serve("web", {}, { annotations: { [SERVICELB.priorityClass]: "no-such" } });
  await hasEvent("web", "UnknownPriorityClass", /names PriorityClass no-such, which does not exist/);
  await change("web", { metadata: { annotations: { [SERVICELB.priorityClass]: "x".repeat(200_000) } } });
  await hasEvent("web", "SyncLoadBalancerFailed", /priorityClassName/);
  await change("web", { metadata: { annotations: { [SERVICELB.priorityClass]: null } } });
  await shows("web", ...all);
});

test("policy Local: only nodes with a ready endpoint", async () => {
  await serve("web", { externalTrafficPolicy: "Local", allocateLoadBalancerNodePorts: false });
  await only("web");
  await client.create(PODS, {
    metadata: { name: "backend", namespace: "default", labels: { app: "web" } },
    spec: { nodeName: "node-2", containers: [{ name: "c", image: "c:1" }] },
  });
  await shows("web", "192.0.2.2");
  await client.delete(PODS, { namespace: "default", name: "backend" }, { gracePeriodSeconds: 0 });
  await until("none is left", async () => addressesOf(await get("web")).length === 0);
});

test("one number in three protocols, and a name of 63 characters", async () => {
  const name = `${"a".repeat(47)}-${"b".repeat(15)}`;
  const ports = (["TCP", "UDP", "SCTP"] as const).map((protocol) => port(53, { protocol }));
  await serve(name, { ports });
  await shows(name, ...all);
  const { metadata, spec } = await only(name);
  assert.match(metadata.name, /^svclb-a{47}-[0-9a-f]{8}$/);
  assert.deepEqual(
    spec?.template.spec?.containers.map(({ name }) => name),
    ["lb-tcp-53", "lb-udp-53", "lb-sctp-53"],
  );
});

test("the finalizer that K3s once used is taken off any Service", async () => {
  await serve("old", { type: "ClusterIP" }, { finalizers: [LEGACY_FINALIZER] });
  await until("it is off", async () => ((await get("old")).metadata.finalizers ?? []).length === 0);
});

test("disabled, it leaves nothing: another load balancer may begin, and Services may go", async () => {
  await serve("web");
  await serve("theirs", { ports: [port(81)] });
  await shows("web", ...all);
  await shows("theirs", ...all);
  await lb?.stop();
  const ingress = [{ ip: "203.0.113.9" }];
  await client.patch(
    SERVICES,
    { namespace: "default", name: "theirs" },
    { status: { loadBalancer: { ingress } } },
    {
      type: "merge",
      subresource: "status",
    },
  );
  await retireServiceLb(options(new AbortController().signal));
  assert.deepEqual(await daemonSets(), []);
  assert.deepEqual(addressesOf(await get("web")), []);
  assert.deepEqual(addressesOf(await get("theirs")), ["203.0.113.9"]);
  for (const name of ["web", "theirs"]) {
    assert.deepEqual((await get(name)).metadata.finalizers ?? [], []);
    await client.delete(SERVICES, { namespace: "default", name });
    assert.ok(await isGone(name));
  }
});

test("where K3s took its DaemonSets down itself, its finalizers go too, and nobody else's", async () => {
  await lb?.stop();
  for (const [name, fieldManager] of [
    ["left", "k3s"],
    ["other", "cloud-manager"],
  ] as const) {
    const { metadata } = await serve(name);
    const patch = { metadata: { finalizers: [FINALIZER] } };
    await client.patch(SERVICES, metadata, patch, { type: "merge", subresource: "status", fieldManager });
  }
  await retireServiceLb(options(new AbortController().signal));
  assert.deepEqual((await get("left")).metadata.finalizers ?? [], []);
  assert.deepEqual((await get("other")).metadata.finalizers, [FINALIZER]);
});
