import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeClient, openFakeClient } from "#kube/fake/client";
import type { DaemonSet, Node, Pod, Service } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { DAEMON_SETS, NODES, PODS, SERVICES } from "#kube/resources";
import type { Clock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import { SERVICELB } from "../names.ts";
import { desiredDaemonSet } from "./daemonset.ts";
import { SERVICELB_DEFAULTS as config, FINALIZER, isForeign, isServed } from "./model.ts";
import { balancerName, ownLabels } from "./names.ts";
import { runServiceLb } from "./run.ts";

/** Waits are over at once: what is retried after minutes is retried in a moment. */
const hurried: Clock = {
  now: () => Date.now(),
  sleep: (ms, { signal }) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, Math.min(ms, 3));
      const stop = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    }),
};

function chances(seed: number) {
  let state = seed;
  return (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
}

type Chance = ReturnType<typeof chances>;
const namespace = "default";
const nodeNames = ["n0", "n1", "n2"];

function node(name: string, labels: Readonly<Record<string, string>> = {}): Node {
  const address = `192.0.2.${nodeNames.indexOf(name) + 1}`;
  return { metadata: { name, labels }, status: { addresses: [{ type: "InternalIP", address }] } };
}

/** Something that somebody does to the cluster. */
async function meddle(client: FakeClient, chance: Chance): Promise<void> {
  const name = `s${chance(5)}`;
  const ref = { namespace, name };
  const patch = (change: object) => client.patch(SERVICES, ref, change, { type: "merge" });
  const deeds: readonly (() => Promise<unknown>)[] = [
    () => client.create(SERVICES, { metadata: ref, spec: spec(chance) }),
    () => client.create(SERVICES, { metadata: ref, spec: spec(chance) }),
    () => client.delete(SERVICES, ref),
    () => patch({ spec: { type: chance(2) ? "LoadBalancer" : "ClusterIP", loadBalancerClass: null } }),
    () => patch({ spec: { type: "LoadBalancer", loadBalancerClass: chance(2) ? "other" : null } }),
    () => patch({ spec: { ports: [{ port: 80 + chance(3), protocol: "TCP" }] } }),
    () => patch({ metadata: { labels: { [SERVICELB.pool]: chance(2) ? "p" : null } } }),
    () =>
      client.patch(
        NODES,
        { name: `n${chance(3)}` },
        { metadata: { labels: { [SERVICELB.enable]: chance(2) ? "true" : null } } },
        { type: "merge" },
      ),
    async () => {
      const { items } = await client.list(DAEMON_SETS);
      const victim = items[chance(Math.max(1, items.length))];
      if (victim && chance(2)) await client.delete(DAEMON_SETS, victim.metadata);
      else if (victim)
        await client.patch(
          DAEMON_SETS,
          victim.metadata,
          {
            spec: { template: { spec: { hostPID: true } } },
            metadata: { labels: { [SERVICELB.nodeSelector]: null } },
          },
          { type: "merge" },
        );
    },
  ];
  await deeds[chance(deeds.length)]?.().catch(() => {});
}

function spec(chance: Chance): Service["spec"] {
  return {
    type: chance(4) ? "LoadBalancer" : "ClusterIP",
    ipFamilies: ["IPv4"],
    clusterIPs: ["10.43.0.7"],
    ports: [{ port: 80, protocol: "TCP" }],
    ...(chance(5) ? {} : { loadBalancerClass: "other" }),
  };
}

/** What is not as it should be; nothing when all is well. */
async function faults(client: FakeClient): Promise<readonly string[]> {
  const services = (await client.list(SERVICES)).items;
  const standing = new Map<string, DaemonSet>(
    (await client.list(DAEMON_SETS)).items.map((each) => [keyOf(each), each]),
  );
  const nodes = (await client.list(NODES)).items;
  const isKept = nodes.some(({ metadata }) => metadata.labels?.[SERVICELB.enable] !== undefined);
  const wrong: string[] = [];
  for (const service of services) {
    const key = keyOf(service);
    const isHeld = service.metadata.finalizers?.includes(FINALIZER) ?? false;
    if (isHeld !== isServed(service) && !isForeign(service)) wrong.push(`${key}: finalizer ${isHeld}`);
    if (!isServed(service)) continue;
    const desired = desiredDaemonSet(service, { config, isKept });
    const found = standing.get(keyOf(desired));
    standing.delete(keyOf(desired));
    if (found === undefined) wrong.push(`${key}: no DaemonSet`);
    else if (JSON.stringify(sorted(found.spec)) !== JSON.stringify(sorted(desired.spec)))
      wrong.push(`${key}: another spec`);
    else if (found.metadata.labels?.[SERVICELB.nodeSelector] !== String(isKept))
      wrong.push(`${key}: another label`);
    const addresses = (service.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip).join();
    if (addresses !== "192.0.2.1") wrong.push(`${key}: at ${addresses}`);
  }
  return [...wrong, ...[...standing.keys()].map((name) => `${name} is nobody's`)];
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}

/** A pod on one node for each Service: enough for an address. */
async function playPods(client: FakeClient): Promise<void> {
  for (const service of (await client.list(SERVICES)).items) {
    const app = balancerName(service);
    const ready: Pod = {
      metadata: { name: app, namespace: config.namespace, labels: { app, ...ownLabels(service) } },
      spec: { nodeName: "n0", containers: [] },
      status: { podIP: "10.42.0.9", conditions: [{ type: "Ready", status: "True" }] },
    };
    await client.create(PODS, ready).catch(() => {});
  }
}

async function becomesRight(client: FakeClient, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    await playPods(client);
    const wrong = await faults(client);
    if (wrong.length === 0) return;
    assert.ok(Date.now() < deadline, `${what}: ${wrong.join("; ")}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** For a while nothing is written: a controller that is never content would go on. */
async function comesToRest({ writes }: FakeClient, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  for (let seen = -1; seen !== writes.length; ) {
    assert.ok(Date.now() < deadline, `${what} never rests: ${writes.slice(-5)}`);
    seen = writes.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs until it is disposed of. */
function live(client: FakeClient): AsyncDisposable {
  const life = new AbortController();
  const options = { client, config, clock: hurried, log: silentLog, signal: life.signal };
  const running = runServiceLb(options);
  return {
    [Symbol.asyncDispose]: () => {
      life.abort();
      return running;
    },
  };
}

test("whatever is refused, lost and ended in the middle, it ends right", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const chance = chances(seed);
    const client = openFakeClient();
    for (const name of nodeNames) await client.create(NODES, node(name));
    const isBad = { now: true };
    client.intercept(({ verb, name }) => {
      const isOurs = verb !== "list" && verb !== "watch" && name !== "" && isBad.now;
      return isOurs && chance(6) === 0 ? (chance(2) ? "ServerTimeout" : "Conflict") : undefined;
    });
    await using lives = new AsyncDisposableStack();
    let life = lives.use(live(client));
    for (let step = 0; step < 60; step++) {
      await meddle(client, chance);
      if (chance(4) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      if (chance(12) === 0) client.dropWatches();
      if (chance(15) === 0) {
        await life[Symbol.asyncDispose]();
        life = lives.use(live(client));
      }
    }
    isBad.now = false;
    await becomesRight(client, `seed ${seed}`);
    await comesToRest(client, `seed ${seed}`);
    assert.deepEqual(await faults(client), []);
  }
});

test("two hundred Services at once", async () => {
  const client = openFakeClient();
  for (const name of nodeNames) await client.create(NODES, node(name));
  await using _life = live(client);
  const names = Array.from({ length: 200 }, (_, i) => `s${i}`);
  await Promise.all(
    names.map((name) =>
      client.create(SERVICES, {
        metadata: { namespace, name },
        spec: { ...spec(() => 1), loadBalancerClass: undefined },
      }),
    ),
  );
  await becomesRight(client, "all are served");
  await Promise.all(names.map((name) => client.delete(SERVICES, { namespace, name })));
  await becomesRight(client, "all are gone");
  assert.deepEqual((await client.list(SERVICES)).items, []);
});
