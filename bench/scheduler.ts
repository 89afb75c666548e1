/** Pods given a node each second, on nodes that are only objects: the scheduler with its informers, queue, decisions and bindings, over an
 *  API in memory. Beside it what kube-scheduler's own benchmark demands of kube-scheduler (no binary of it is at hand to run here), which
 *  talks to an API server with etcd. */
import { parseCidr } from "#addr/cidr";
import { openInformers, whenSynced } from "#controllers/informers";
import { runScheduler } from "#controllers/scheduler/controller";
import { ServedResources } from "#controllers/served-resources";
import { openFakeClient } from "#kube/fake/client";
import type { PodSpec } from "#kube/generated/types";
import { NAMESPACES, NODES, PODS } from "#kube/resources";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";

const HOSTNAME = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";
const LABELS = { app: "web" };

interface Workload {
  readonly name: string;
  readonly spec: Partial<PodSpec>;
  /** Pods a second that kube-scheduler has to reach, at 5000 nodes. */
  readonly threshold: number;
  /** No more pods than this many to a node fit. */
  readonly perNode?: number;
  /** How many pods of other kinds each node has already; 2 unless told. */
  readonly before?: number;
  /** Only with so many nodes. */
  readonly only?: number;
}

const spread = (whenUnsatisfiable: string) => ({
  topologySpreadConstraints: [
    { topologyKey: ZONE, maxSkew: 5, whenUnsatisfiable, labelSelector: { matchLabels: LABELS } },
  ],
});
const near = (topologyKey: string) => [{ topologyKey, labelSelector: { matchLabels: LABELS } }];

/** @see kubernetes test/integration/scheduler_perf, thresholds of 1.36 */
const WORKLOADS: readonly Workload[] = [
  { name: "plain", spec: {}, threshold: 270 },
  { name: "spread over zones, hard", spec: spread("DoNotSchedule"), threshold: 85 },
  {
    name: "the same among 20 000 pods",
    spec: spread("DoNotSchedule"),
    threshold: 85,
    before: 20,
    only: 1000,
  },
  { name: "spread over zones, soft", spec: spread("ScheduleAnyway"), threshold: 125 },
  {
    name: "anti-affinity to hosts",
    spec: {
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near(HOSTNAME) } },
    },
    threshold: 60,
    perNode: 1,
  },
  {
    name: "affinity to a zone",
    spec: { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near(ZONE) } } },
    threshold: 35,
  },
];

/** Prints a table; every run must place every pod. */
export async function benchScheduler(): Promise<void> {
  process.stdout.write("pods given a node, each second (kube-scheduler's threshold is for 5000 nodes)\n");
  for (const nodes of [100, 1000, 5000]) {
    for (const workload of WORKLOADS) {
      if ((workload.only ?? nodes) !== nodes) continue;
      const before = nodes * (workload.before ?? 2);
      const pods = Math.min(2000, nodes * (workload.perNode ?? 10));
      const perSecond = await measure(workload, { nodes, before, pods });
      process.stdout.write(
        `  ${String(nodes).padStart(5)} nodes  ${workload.name.padEnd(26)}${perSecond.toFixed(0).padStart(6)}   threshold ${String(workload.threshold).padStart(4)}\n`,
      );
    }
  }
  process.stdout.write(
    "  thresholds: kubernetes 1.36, test/integration/scheduler_perf (with an API server and etcd; here the API is in memory)\n",
  );
}

/** `before` pods of another kind run already. */
async function measure(
  { spec }: Workload,
  { nodes, before, pods }: { nodes: number; before: number; pods: number },
): Promise<number> {
  const client = openFakeClient();
  const ending = new AbortController();
  const { signal } = ending;
  await client.create(NAMESPACES, { metadata: { name: "default" } });
  for (let i = 0; i < nodes; i++) await client.create(NODES, nodeOf(i));
  const create = (name: string, labels: Record<string, string>, more: Partial<PodSpec>) => {
    const resources = { requests: { cpu: "10m", memory: "16Mi" } };
    const containers = [{ name: "c", image: "web:1", resources }];
    return client.create(PODS, {
      metadata: { name, namespace: "default", labels },
      spec: { containers, ...more },
    });
  };
  for (let i = 0; i < before; i++)
    await create(`old-${i}`, { app: `old-${i % 20}` }, { nodeName: `node-${i % nodes}` });
  for (let i = 0; i < pods; i++) await create(`new-${i}`, LABELS, spec);
  const done = Promise.withResolvers<void>();
  let left = pods;
  const shared = { client, clock: systemClock, log: silentLog, signal };
  const options = { ...shared, clusterCidrs: [parseCidr("10.42.0.0/16")], nodeMask: { 4: 24 }, serverCa: "" };
  const informers = openInformers(options);
  await whenSynced(informers);
  informers.pods.subscribe((change) => {
    if (
      change.type === "changed" &&
      change.object.spec?.nodeName &&
      !change.before.spec?.nodeName &&
      --left === 0
    )
      done.resolve();
  });
  const from = performance.now();
  const running = runScheduler({
    ...options,
    informers,
    served: new ServedResources(client, systemClock),
    random: Math.random,
  });
  await done.promise;
  const seconds = (performance.now() - from) / 1000;
  ending.abort();
  await running;
  return pods / seconds;
}

function nodeOf(i: number) {
  const name = `node-${i}`;
  const allocatable = { cpu: "4", memory: "32Gi", pods: "110" };
  return {
    metadata: { name, labels: { [HOSTNAME]: name, [ZONE]: `zone-${i % 3}` } },
    status: { allocatable, capacity: allocatable },
  };
}
