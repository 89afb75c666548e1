/** A node of its own, for tests: an API in memory that holds what stdin says, and `runNode` on the real kernel of the network
 *  namespace this process was started in. One JSON value a line in both directions; `kill -9` is part of the game. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openSandboxNetwork } from "#cni/open";
import { openKernel } from "#kernel/open";
import { openFakeClient } from "#kube/fake/client";
import type { KubeObject, Resource } from "#kube/object";
import { openInformer } from "#kube/open-informer";
import { CONFIG_MAPS, EVENTS, NODES, PODS, SECRETS } from "#kube/resources";
import { systemClock } from "#life/clock";
import { always } from "#life/live";
import { openContainerd } from "#node/containerd/open";
import type { CollectionPolicy } from "#node/image/image-collector";
import { ownPodNetwork } from "#node/network";
import type { EvictionSettings } from "#node/pressure/thresholds";
import { runNode } from "#node/run";
import { openCriRuntime } from "#node/runtime/cri/open";
import type { Runtime } from "#node/runtime/runtime";
import { openLog } from "#telemetry/log";

type Kind = "pods" | "configmaps" | "secrets";
export type Command =
  | { readonly do: "create"; readonly kind: Kind; readonly object: KubeObject }
  | {
      readonly do: "patch";
      readonly kind: Kind;
      readonly name: string;
      readonly patch: unknown;
    }
  | { readonly do: "delete"; readonly name: string; readonly graceSeconds: number };

export type Report =
  | { readonly say: "ready"; readonly atMs: number }
  | { readonly say: "pod" | "event" | "node"; readonly object: KubeObject; readonly atMs: number }
  | { readonly say: "gone"; readonly name: string; readonly atMs: number };

export interface ContainerdSettings {
  readonly stateDir: string;
  readonly cni: { readonly binDir: string; readonly confDir: string };
  /** K3s's file; it need not be there. */
  readonly registriesFile?: string;
  /** Of the pause image alone, which is imported within a moment. */
  readonly archive: string;
}

export interface AgentSettings {
  readonly dataDir: string;
  readonly imagesDir: string;
  readonly podLogsDir: string;
  readonly netnsDir: string;
  readonly ipamDir: string;
  readonly cgroupRoot: string;
  /** Pods run in a containerd that the agent starts, with plugins from `binDir`; default: as processes. */
  readonly containerd?: ContainerdSettings;
  /** Default: a kubelet's. */
  readonly imageCollection?: CollectionPolicy;
  /** What the API holds from the start. */
  readonly seed: readonly Command[];
  /** Files of pods that run here whatever the API says: JSON, with nothing left out. */
  readonly manifestsDir?: string;
  /** Default: no pod goes because the machine runs short. */
  readonly eviction?: EvictionSettings;
  readonly evictionMs?: number;
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string };
}

const settings = JSON.parse(process.argv[2] ?? "{}") as AgentSettings;
const RESOURCES: Readonly<Record<string, Resource<KubeObject>>> = {
  ...{ pods: PODS, configmaps: CONFIG_MAPS, secrets: SECRETS },
};
const stop = new AbortController();
let newestUid = 0;
const client = openFakeClient();
const base = {
  clock: systemClock,
  log: openLog({ write: (line) => process.stderr.write(line), level: "info" }),
  signal: stop.signal,
};
const kernel = openKernel();
const podCidr = parseCidr("10.42.7.0/24");
const commands = createInterface({ input: process.stdin });

for (const [say, resource] of [
  ["pod", PODS],
  ["event", EVENTS],
  ["node", NODES],
] as const) {
  openInformer<KubeObject>(client, resource, base).subscribe((change) => {
    const atMs = Date.now();
    if (change.type === "removed") tell({ say: "gone", name: change.before.metadata.name, atMs });
    else tell({ say, object: change.object, atMs });
  });
}
for (const command of settings.seed) await run(command);
commands.on("line", (line) => {
  run(JSON.parse(line) as Command).catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
});
commands.on("close", () => stop.abort());

await runNode({
  kernel,
  client,
  nodeName: "node-1",
  nodeIps: always([parseIp("127.0.0.1")]),
  network: ownPodNetwork(
    openSandboxNetwork({
      kernel,
      bridge: "cni0",
      mtuBytes: 1450,
      podCidrs: [podCidr],
      clusterCidrs: [parseCidr("10.42.0.0/16")],
      ipamDir: settings.ipamDir,
      log: base.log,
    }),
  ),
  clusterDns: [parseIp("10.43.0.10")],
  clusterDomain: "cluster.local",
  eviction: { thresholds: [], transitionMs: 0, maxPodGraceSeconds: 0 },
  ...settings,
  tls: always(settings.tls),
  ...(settings.manifestsDir === undefined
    ? {}
    : { staticPods: { path: settings.manifestsDir, read: async (text, place) => place(JSON.parse(text)) } }),
  ...(settings.containerd ? { runtime: await openContainerdRuntime(settings.containerd) } : {}),
  ...base,
  onReady: () => tell({ say: "ready", atMs: Date.now() }),
}).catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
});
process.exit(0);

async function openContainerdRuntime(own: ContainerdSettings): Promise<Runtime> {
  const { dataDir, imagesDir } = settings;
  const { endpoint, preloaded, pinnedImages } = await openContainerd({
    ...own,
    dataDir,
    imagesDir,
    env: process.env,
    ...base,
  });
  const stateDir = join(dataDir, "agent", "cri");
  return openCriRuntime({ endpoint, stateDir, preloaded, pinned: pinnedImages, ...base });
}

async function run(command: Command): Promise<void> {
  switch (command.do) {
    case "create": {
      const resource = RESOURCES[command.kind];
      await spendUidsBefore(command.object.metadata.uid);
      if (resource) newestUid = numberOf((await client.create(resource, command.object)).metadata.uid);
      return;
    }
    case "patch": {
      const resource = RESOURCES[command.kind];
      const ref = { namespace: "default", name: command.name };
      if (resource) await client.patch(resource, ref, command.patch, { type: "merge" });
      return;
    }
    case "delete":
      return client.delete(
        PODS,
        { namespace: "default", name: command.name },
        { gracePeriodSeconds: command.graceSeconds },
      );
    default:
      command satisfies never;
  }
}

/** The API in memory counts its uids up: those before the wanted one go to objects that nobody asks for. */
async function spendUidsBefore(uid: string | undefined): Promise<void> {
  if (uid === undefined) return;
  while (newestUid < numberOf(uid) - 1) {
    const spent = await client.create(CONFIG_MAPS, {
      metadata: { name: "", generateName: "spent-", namespace: "x" },
    });
    newestUid = numberOf(spent.metadata.uid);
  }
}

function numberOf(uid: string | undefined): number {
  return Number.parseInt((uid ?? "").slice(-12), 16);
}

function tell(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
