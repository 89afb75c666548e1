import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiFault, type ApiReason } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import {
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  NODES,
  PODS,
  REPLICA_SETS,
  SERVICES,
} from "#kube/resources";
import { deployment, openHarness } from "./harness.ts";

const REASONS: readonly ApiReason[] = ["Conflict", "InternalError", "Unreachable"];
const CHANCE = 0.12;

/** Numbers from 0 to 1 that are the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A client some of whose writes are refused, and some carried out without an answer. */
function flaky(client: KubeClient, random: () => number): KubeClient {
  const refuse = () => {
    const reason = REASONS[Math.floor(random() * REASONS.length)] ?? "Conflict";
    if (random() < CHANCE) throw new ApiFault(reason, `refused by the weather: ${reason}`);
  };
  const risky = async <T>(write: () => Promise<T>): Promise<T> => {
    refuse();
    const answer = await write();
    if (random() < CHANCE) throw new ApiFault("Unreachable", "the answer was lost");
    return answer;
  };
  return {
    get: (resource, ref) => client.get(resource, ref),
    list: (resource, options) => client.list(resource, options),
    watch: (resource, options) => client.watch(resource, options),
    resources: () => client.resources(),
    scale: (resource, ref) => client.scale(resource, ref),
    create: (resource, object, options) => risky(() => client.create(resource, object, options)),
    replace: (resource, object, options) => risky(() => client.replace(resource, object, options)),
    patch: (resource, ref, patch, options) => risky(() => client.patch(resource, ref, patch, options)),
    deleteAll: (resource, options) => risky(() => client.deleteAll(resource, options)),
    delete: (resource, ref, options) => risky(() => client.delete(resource, ref, options)),
    bind: (pod, nodeName) => risky(() => client.bind(pod, nodeName)),
  };
}

for (let seed = 1; seed <= 20; seed++) {
  test(`everything ends up right although one write in four goes wrong, seed ${seed}`, async () => {
    const random = seeded(seed);
    await using harness = await openHarness({ through: (client) => flaky(client, random), random });
    const { client, until } = harness;
    for (const name of ["a", "b", "c"]) await harness.addNode(name);
    const labels = { app: "daemon" };
    await client.create(DAEMON_SETS, {
      metadata: { name: "daemon", namespace: "default" },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "d", image: "d" }] } },
      },
    });
    await client.create(SERVICES, {
      metadata: { name: "web", namespace: "default" },
      spec: { selector: { app: "web" } },
    });
    await client.create(DEPLOYMENTS, deployment("web", 5));
    const change = {
      spec: { replicas: 6, template: { spec: { containers: [{ name: "web", image: "web:2" }] } } },
    };
    await client.patch(DEPLOYMENTS, { namespace: "default", name: "web" }, change, { type: "strategic" });
    await until("six new pods, one daemon a node, six endpoints", async () => {
      const pods = (await client.list(PODS)).items;
      const web = pods.filter(({ metadata }) => metadata.labels?.["app"] === "web");
      const daemons = pods.filter(({ metadata }) => metadata.labels?.["app"] === "daemon");
      const slices = (await client.list(ENDPOINT_SLICES)).items;
      const { status } = await client.get(DEPLOYMENTS, { namespace: "default", name: "web" });
      return (
        web.length === 6 &&
        web.every(({ spec }) => spec?.nodeName && spec.containers[0]?.image === "web:2") &&
        daemons
          .map(({ spec }) => spec?.nodeName)
          .sort()
          .join() === "a,b,c" &&
        slices.flatMap(({ endpoints }) => endpoints ?? []).length === 6 &&
        status?.availableReplicas === 6 &&
        status.replicas === 6
      );
    });
    await until("three node networks", async () => {
      const cidrs = (await client.list(NODES)).items.flatMap(({ spec }) => spec?.podCIDR ?? []);
      return cidrs.length === 3 && new Set(cidrs).size === 3;
    });
    const sizes = (await client.list(REPLICA_SETS)).items.map(({ spec }) => spec?.replicas ?? 0);
    assert.equal(Math.max(...sizes), 6);
  });
}
