/** The cloud controller's part for nodes, as upstream's cloud-node and cloud-node-lifecycle controllers with K3s's provider. */
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { openEventRecorder } from "#kube/event-recorder";
import type { Node, NodeAddress } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { NODES } from "#kube/resources";
import { type Clock, ticks } from "#life/clock";
import { WorkQueue } from "#life/work-queue";
import type { Logger } from "#telemetry/log";
import { Patience } from "./patience.ts";
import { type NodePlan, planNode } from "./plan.ts";
import { ToldProblems } from "./tell-problems.ts";

export interface CloudNodesOptions {
  readonly client: KubeClient;
  readonly nodes: Informer<Node>;
  /** How often every Node is looked at beside what is heard of it; default a minute. */
  readonly periodMs?: number | undefined;
  /** Nodes worked on at a time; default four. */
  readonly workers?: number | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const PERIOD_MS = 60_000;
const WORKERS = 4;
const BACKOFF = { firstMs: 5, maxMs: 60_000 };

/** Keeps what Nodes say of their machines true, and makes new Nodes ready for pods, until aborted. A Node is never deleted: machines
 *  of this provider do not go away. */
export async function runCloudNodes(options: CloudNodesOptions): Promise<void> {
  const { client, nodes, clock, log, signal } = options;
  const events = openEventRecorder(client, { component: "cloud-node-controller", clock, log, signal });
  const told = new ToldProblems(events, log);
  const patience = new Patience(clock, log);
  const queue = new WorkQueue<string>({
    clock,
    signal,
    workers: options.workers ?? WORKERS,
    backoff: BACKOFF,
    work: async (name) => {
      const node = nodes.get(name);
      if (node === undefined) return undefined;
      const plan = planNode(node);
      told.note(node, plan.problems);
      if (await carryOut(client, node, plan)) {
        log.info("a node is ready for pods", { node: name, providerId: plan.node?.spec?.providerID });
        events.record(node, { type: "Normal", reason: "Synced", message: "Node synced successfully" });
      }
      return patience.leftMs(node, plan);
    },
    onFailure: (name, error, waitMs) => {
      const isStale = isApiFault(error, "Conflict", "NotFound");
      const level = isStale ? "debug" : "warn";
      log[level]("what a node's machine is could not be written; will try again", {
        node: name,
        error,
        waitMs,
      });
    },
  });
  using stops = new DisposableStack();
  stops.defer(
    nodes.subscribe((change) => {
      if (change.type !== "removed") return queue.add(change.key);
      told.forget(change.key);
      patience.forget(change.key);
    }),
  );
  for await (const _ of ticks(clock, options.periodMs ?? PERIOD_MS, { signal }))
    for (const { metadata } of nodes.list()) queue.add(metadata.name);
}

/** True when the Node has become ready for pods. Its addresses come first: who is scheduled to it may ask for them at once. */
async function carryOut(client: KubeClient, node: Node, plan: NodePlan): Promise<boolean> {
  const { addresses } = plan;
  const last = addresses === undefined ? plan : planNode(await writeAddresses(client, node, addresses));
  if (last.node === undefined) return false;
  await client.replace(NODES, last.node);
  return last.initializes;
}

/** Addresses merge by type, which would drop the second of two families: the list is replaced as a whole. */
function writeAddresses(
  client: KubeClient,
  { metadata: { name, uid } }: Node,
  addresses: readonly NodeAddress[],
): Promise<Node> {
  const patch = { metadata: { uid }, status: { addresses: [{ $patch: "replace" }, ...addresses] } };
  return client.patch(NODES, { name }, patch, { type: "strategic", subresource: "status" });
}
