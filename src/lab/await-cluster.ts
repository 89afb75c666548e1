/** Waiting for a cluster: each step says what it waits for while it does. */
import { readFileSync } from "node:fs";
import { type Fault, isFault } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Deployment, Node } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { NAMESPACES } from "#kube/resources";
import type { Clock } from "#life/clock";
import { until } from "./until.ts";

type Progress = (waitingFor: string) => void;
const POLL_MS = 15;

/** The server's own kubeconfig, which it writes once the API answers. */
export async function awaitKubeconfig(
  path: string,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<string> {
  for (;;) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      await clock.sleep(POLL_MS, { signal });
    }
  }
}

/** Resolves once the API answers a read. */
export async function awaitApi(
  client: KubeClient,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  for (;;) {
    try {
      await client.get(NAMESPACES, { name: "default" });
      return;
    } catch (error) {
      if (!isApiFault(error) || error.code === "Forbidden" || error.code === "Unauthorized") throw error;
      await clock.sleep(POLL_MS, { signal });
    }
  }
}

/** A node to wait for, and the moment (ms) after which it must have told of itself: what a killed one said before is old. */
export interface AwaitedNode {
  readonly name: string;
  readonly since: number;
}

/** Resolves once all of them are Ready; with `needReady: false` once all have told how they are. */
export async function awaitNodes(
  nodes: Informer<Node>,
  wanted: readonly AwaitedNode[],
  { progress, signal, needReady = true }: { progress: Progress; signal: AbortSignal; needReady?: boolean },
): Promise<void> {
  const isThere = needReady ? isReady : hasTold;
  await until(
    nodes,
    (objects) => {
      const missing = wanted.filter(
        ({ name, since }) =>
          !isThere(
            objects.find((node) => node.metadata.name === name),
            since,
          ),
      );
      progress(missing.map(({ name }) => name).join(", "));
      return missing.length === 0 ? true : undefined;
    },
    { signal },
  );
}

function isReady(node: Node | undefined, since: number): boolean {
  const isTainted = node?.spec?.taints?.some(({ effect }) => effect === "NoSchedule") ?? false;
  return hasTold(node, since) && readyOf(node)?.status === "True" && !isTainted;
}

function hasTold(node: Node | undefined, since: number): boolean {
  const ready = readyOf(node);
  // Heartbeats are told in whole seconds.
  const saidAt = Date.parse(ready?.lastHeartbeatTime ?? "") + 999;
  return ready !== undefined && ready.status !== "Unknown" && saidAt >= since;
}

function readyOf(node: Node | undefined) {
  return node?.status?.conditions?.find(({ type }) => type === "Ready");
}

export async function awaitDeployment(
  deployments: Informer<Deployment>,
  key: string,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<void> {
  await until(
    deployments,
    (objects) => {
      const deployment = objects.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key);
      const wanted = deployment?.spec?.replicas ?? 1;
      const available = deployment?.status?.availableReplicas ?? 0;
      progress(`${available} of ${wanted} pods of ${key} available`);
      return deployment && available >= wanted && (deployment.status?.observedGeneration ?? 0) > 0
        ? true
        : undefined;
    },
    { signal },
  );
}

/** The first of `work` and of a node's process ending, which is an error that shows what it said last. */
export async function whileAlive<T>(work: Promise<T>, ended: Promise<Fault>): Promise<T> {
  const outcome = await Promise.race([work.then((value) => ({ value })), ended]);
  if (isFault(outcome)) {
    work.catch(() => {});
    throw outcome;
  }
  return outcome.value;
}
