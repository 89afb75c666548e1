import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Pod, Service } from "#kube/generated/types";
import { ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES } from "#kube/resources";
import { type Harness, openHarness } from "../harness.ts";
import { isFinished, podIps } from "../pods.ts";

const namespace = "default";
const APPS = ["a", "b", "c"];

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function service(name: string, app: string): Service {
  const spec = {
    clusterIP: "10.43.0.9",
    ipFamilies: ["IPv4"],
    selector: { app },
    ports: [{ port: 80, targetPort: "http" }],
  };
  return { metadata: { name, namespace }, spec };
}

function pod(name: string, app: string, port: number): Pod {
  return {
    metadata: { name, namespace, labels: { app } },
    spec: { containers: [{ name: "c", image: "i", ports: [{ name: "http", containerPort: port }] }] },
  };
}

/** `service address:port ready` of every endpoint there should be. */
function wanted(services: readonly Service[], pods: readonly Pod[]): string {
  return services
    .flatMap(({ metadata, spec }) =>
      pods
        .filter((one) => one.metadata.labels?.["app"] === spec?.selector?.["app"] && !isFinished(one))
        .flatMap((one) => {
          const ready =
            one.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ??
            false;
          const port = one.spec?.containers[0]?.ports?.[0]?.containerPort;
          return podIps(one).map(
            (ip) => `${metadata.name} ${ip}:${port} ${ready && !one.metadata.deletionTimestamp}`,
          );
        }),
    )
    .sort()
    .join("\n");
}

function listed(slices: readonly EndpointSlice[]): string {
  return slices
    .flatMap(({ metadata, endpoints, ports }) =>
      (endpoints ?? []).map(
        ({ addresses, conditions }) =>
          `${metadata.labels?.["kubernetes.io/service-name"]} ${addresses[0]}:${ports?.[0]?.port} ${conditions?.ready}`,
      ),
    )
    .sort()
    .join("\n");
}

async function step({ client }: Harness, random: () => number, count: { pods: number }): Promise<void> {
  const pods = (await client.list(PODS)).items;
  const one = pods[Math.floor(random() * pods.length)];
  const app = APPS[Math.floor(random() * APPS.length)] ?? "a";
  const dice = random();
  if (one === undefined || dice < 0.45) {
    const name = `p${count.pods++}`;
    await client.create(PODS, pod(name, app, random() < 0.8 ? 8080 : 9090));
    const ip = `10.42.${count.pods >> 8}.${count.pods & 255}`;
    const status = {
      phase: "Running",
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: "Ready", status: random() < 0.7 ? "True" : "False" }],
    };
    await client.patch(PODS, { namespace, name }, { status }, { type: "merge", subresource: "status" });
  } else if (dice < 0.6) await client.delete(PODS, one.metadata, { gracePeriodSeconds: 0 });
  else if (dice < 0.75)
    await client.patch(PODS, one.metadata, { metadata: { labels: { app } } }, { type: "merge" });
  else {
    const status =
      dice < 0.8
        ? { phase: "Succeeded" }
        : { conditions: [{ type: "Ready", status: dice < 0.9 ? "True" : "False" }] };
    await client.patch(PODS, one.metadata, { status }, { type: "merge", subresource: "status" });
  }
}

for (let seed = 1; seed <= 3; seed++)
  test(`slices list exactly what services select, however pods come and go, seed ${seed}`, async () => {
    const random = seeded(seed);
    await using harness = await openHarness({ random });
    const { client } = harness;
    for (const app of APPS) await client.create(SERVICES, service(`web-${app}`, app));
    const count = { pods: 0 };
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 40; i++) await step(harness, random, count);
      await harness.until("slices as wanted", async () => {
        const [services, pods, slices] = await Promise.all([
          client.list(SERVICES),
          client.list(PODS),
          client.list(ENDPOINT_SLICES),
        ]);
        return listed(slices.items) === wanted(services.items, pods.items);
      });
    }
    const lists = (await client.list(ENDPOINTS)).items;
    assert.deepEqual(
      lists.map(({ metadata }) => metadata.name).sort(),
      APPS.map((app) => `web-${app}`),
    );
    for (const { endpoints } of (await client.list(ENDPOINT_SLICES)).items)
      assert.ok((endpoints?.length ?? 0) <= 100);
    await client.delete(SERVICES, { namespace, name: "web-a" });
    await harness.until("everything of the service is gone", async () => {
      const slices = (await client.list(ENDPOINT_SLICES)).items;
      const left = (await client.list(ENDPOINTS)).items;
      return [...slices, ...left].every(({ metadata }) => !metadata.name.startsWith("web-a"));
    });
  });
