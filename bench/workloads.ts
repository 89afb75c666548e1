/** How fast the controllers make pods: through the real API server with its store on disk, with kubelets played by the bench, and no nodes. */
import { openRig } from "#apiserver/testing/rig";
import { openHarness } from "#controllers/harness";
import type { KubeClient } from "#kube/client";
import type { PodTemplateSpec } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import { DEPLOYMENTS, JOBS, PODS } from "#kube/resources";

const namespace = "default";

/** What each controller of kube-controller-manager may ask with its defaults: 20 requests a second after a burst of 30. */
const PEER_PER_SECOND = 20;
const PEER_BURST = 30;

/** Prints how long 500 pods of a Deployment take to be there, and a Job of 1000 pods, 100 at a time, to be over. */
export async function benchWorkloads(): Promise<void> {
  await using rig = await openRig();
  await using client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "bench" });
  await using harness = await openHarness({ client });
  report("Deployment, 500 pods created", await timeDeployment(client, 500), { writes: 500 });
  await harness.addNode("large", { status: { allocatable: { cpu: "999", memory: "999Gi", pods: "9999" } } });
  harness.ends = () => ({ phase: "Succeeded" });
  // Each pod is made, and let go once it is counted.
  report("Job, 1000 completions, 100 at a time", await timeJob(client, 1000), { writes: 2000 });
}

async function timeDeployment(client: KubeClient, replicas: number): Promise<number> {
  const labels = { app: "bench" };
  const startedAt = performance.now();
  await client.create(DEPLOYMENTS, {
    metadata: { name: "bench", namespace },
    spec: { replicas, selector: { matchLabels: labels }, template: template(labels) },
  });
  await poll(async () => (await client.list(PODS, { labelSelector: "app=bench" })).items.length === replicas);
  const tookMs = performance.now() - startedAt;
  await client.delete(DEPLOYMENTS, { namespace, name: "bench" }, { propagationPolicy: "Foreground" });
  await poll(async () => (await client.list(PODS)).items.length === 0);
  return tookMs;
}

async function timeJob(client: KubeClient, completions: number): Promise<number> {
  const startedAt = performance.now();
  const { spec, ...pod } = template({ app: "job" });
  await client.create(JOBS, {
    metadata: { name: "bench", namespace },
    spec: {
      completions,
      parallelism: 100,
      template: { ...pod, spec: { containers: [], ...spec, restartPolicy: "Never" } },
    },
  });
  await poll(async () => {
    const { status } = await client.get(JOBS, { namespace, name: "bench" });
    return status?.completionTime !== undefined;
  });
  return performance.now() - startedAt;
}

function template(labels: Readonly<Record<string, string>>): PodTemplateSpec {
  return { metadata: { name: "", labels }, spec: { containers: [{ name: "c", image: "c:1" }] } };
}

async function poll(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 100));
}

function report(what: string, tookMs: number, { writes }: { readonly writes: number }): void {
  const peer = (writes - PEER_BURST) / PEER_PER_SECOND;
  process.stdout.write(
    `  ${what.padEnd(38)}${(tookMs / 1000).toFixed(1).padStart(6)} s   kube-controller-manager's client limits allow ${peer.toFixed(0)} s at best\n`,
  );
}
