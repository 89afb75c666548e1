import assert from "node:assert/strict";
import { parseCidr } from "#addr/cidr";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { openFakeClient } from "#kube/fake/client";
import type { Deployment, Node, Pod, PodStatus } from "#kube/generated/types";
import { type LiveInformer, openInformer } from "#kube/open-informer";
import { isDeleting } from "#kube/owner";
import { NAMESPACES, NODES, PODS } from "#kube/resources";
import { type Clock, systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import type { ControllerOptions } from "./context.ts";
import { isFinished } from "./pods.ts";
import { runControllers } from "./run.ts";
import { formatTime } from "./time.ts";

/** For tests: the controllers on an API (one in memory, unless given another), and something that plays all kubelets. */
export interface Harness extends AsyncDisposable {
  readonly client: KubeClient;
  readonly pods: LiveInformer<Pod>;
  /** Pods for which this says false never become ready. */
  becomesReady: (pod: Pod) => boolean;
  /** What becomes of a pod that runs; it goes on while this says undefined. */
  ends: (pod: Pod) => PodStatus | undefined;
  /** Nodes whose kubelet has stopped. */
  readonly deadNodes: Set<string>;
  addNode(name: string, node?: Partial<Node>): Promise<void>;
  /** Stops the controllers where they are, and starts others that know nothing. */
  restart(): Promise<void>;
  /** Resolves once `holds` does; rejects after five seconds. */
  until<T>(what: string, holds: () => Promise<T | undefined | false> | T | undefined | false): Promise<T>;
}

/** One run of the controllers. */
interface Life {
  readonly life: AbortController;
  readonly running: Promise<void>;
}

export async function openHarness(
  options: {
    readonly clock?: Clock;
    readonly namespaces?: readonly string[];
    readonly client?: KubeClient;
    /** Puts something between the controllers and the API, anew for each start. */
    readonly through?: (client: KubeClient) => KubeClient;
    readonly random?: () => number;
    /** Authorities' means, where a test has them. */
    readonly signing?: Pick<ControllerOptions, "certificates" | "signToken" | "serverCa">;
  } = {},
): Promise<Harness> {
  const { clock = systemClock, client = openFakeClient({ clock }) } = options;
  const abort = new AbortController();
  const level = process.env["TWILL_TEST_LOG"] === "debug" ? "debug" : "error";
  const log = openLog({ write: (line) => void process.stderr.write(line), level });
  for (const name of options.namespaces ?? (options.client ? [] : ["default"]))
    await client.create(NAMESPACES, { metadata: { name } });
  const pods = openInformer<Pod>(client, PODS, { clock, log, signal: abort.signal });
  const start = (): Life => {
    const life = new AbortController();
    const running = runControllers({
      client: options.through?.(client) ?? client,
      clusterCidrs: [parseCidr("10.42.0.0/16")],
      nodeMask: { 4: 24 },
      serverCa: "CA",
      ...options.signing,
      clock,
      log,
      signal: life.signal,
      random: options.random ?? (() => 0),
    });
    return { life, running };
  };
  let { life, running } = start();
  const harness: Harness = {
    client,
    pods,
    becomesReady: () => true,
    ends: () => undefined,
    deadNodes: new Set(),
    addNode: async (name, node = {}) => {
      const wanted = readyNode(name, node, clock);
      await client.create(NODES, wanted);
      await client.patch(
        NODES,
        { name },
        { status: wanted.status },
        { type: "merge", subresource: "status" },
      );
    },
    restart: async () => {
      life.abort();
      await running;
      if (!abort.signal.aborted) ({ life, running } = start());
    },
    until,
    async [Symbol.asyncDispose]() {
      abort.abort();
      life.abort();
      await running;
    },
  };
  pods.subscribe((change) => {
    if (change.type === "removed") return;
    playKubelet(harness, change.object, clock).catch((error: unknown) => {
      if (!abort.signal.aborted) throw error;
    });
  });
  return harness;
}

export function deployment(
  name: string,
  replicas: number,
  more: Partial<Deployment["spec"]> = {},
): Deployment {
  const labels = { app: name };
  return {
    metadata: { name, namespace: "default", labels },
    spec: {
      replicas,
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [{ name: "web", image: "web:1", ports: [{ name: "http", containerPort: 8080 }] }],
        },
      },
      ...more,
    },
  };
}

export function readyNode(name: string, { metadata, spec, status }: Partial<Node>, clock: Clock): Node {
  const lastHeartbeatTime = formatTime(clock.now());
  const ready = { type: "Ready", status: "True", lastHeartbeatTime, lastTransitionTime: lastHeartbeatTime };
  const allocatable = { cpu: "4", memory: "8Gi", pods: "110" };
  return {
    ...metadata,
    metadata: { ...metadata, name, labels: { "kubernetes.io/hostname": name, ...metadata?.labels } },
    spec: { ...spec },
    status: { allocatable, capacity: allocatable, conditions: [ready], ...status },
  };
}

/** By a pod's uid: who hears of it twice before it is Ready gives it the same address twice. */
const addresses = new Map<string, string>();

function addressOf({ metadata: { uid = "" } }: Pod): string {
  const ip = addresses.get(uid) ?? `10.42.0.${(addresses.size % 250) + 1}`;
  addresses.set(uid, ip);
  return ip;
}

async function playKubelet(harness: Harness, pod: Pod, clock: Clock): Promise<void> {
  const { client } = harness;
  const { metadata, spec, status } = pod;
  if (!spec?.nodeName || harness.deadNodes.has(spec.nodeName)) return;
  if (isDeleting(pod)) {
    if (metadata.finalizers?.length && !isFinished(pod)) await writeStatus(harness, pod, { phase: "Failed" });
    return client.delete(PODS, metadata, { gracePeriodSeconds: 0 });
  }
  const isReady = status?.conditions?.some(({ type }) => type === "Ready") ?? false;
  if (isReady) return endPod(harness, pod);
  if (!harness.becomesReady(pod)) return;
  const podIP = addressOf(pod);
  const ready = { type: "Ready", status: "True", lastTransitionTime: formatTime(clock.now()) };
  await writeStatus(harness, pod, {
    phase: "Running",
    podIP,
    podIPs: [{ ip: podIP }],
    conditions: [ready],
  });
}

async function endPod(harness: Harness, pod: Pod): Promise<void> {
  if (isFinished(pod)) return;
  const end = harness.ends(pod);
  if (end === undefined) return;
  const unready = { type: "Ready", status: "False", lastTransitionTime: formatTime(Date.now()) };
  await writeStatus(harness, pod, { ...end, conditions: [unready, ...(end.conditions ?? [])] });
}

async function writeStatus({ client }: Harness, { metadata }: Pod, status: PodStatus): Promise<void> {
  const patch = { status };
  try {
    await client.patch(PODS, metadata, patch, { type: "strategic", subresource: "status" });
  } catch (error) {
    assert.ok(isApiFault(error, "NotFound"), `only a pod that is gone may refuse its status: ${error}`);
  }
}

async function until<T>(
  what: string,
  holds: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadline = Date.now() + 5_000;
  for (;;) {
    const value = await holds();
    if (value !== undefined && value !== false) return value;
    assert.ok(Date.now() < deadline, `never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
