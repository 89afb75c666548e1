/** The cloud controller's part for nodes, as upstream's cloud-node and cloud-node-lifecycle controllers with K3s's provider. */
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { type EventRecorder, openEventRecorder } from "#kube/event-recorder";
import type { Node, NodeAddress } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { NODES } from "#kube/resources";
import { type Clock, ticks } from "#life/clock";
import { WorkQueue } from "#life/work-queue";
import type { Logger } from "#telemetry/log";
import { AddressPace } from "./address-pace.ts";
import { OwnWrites } from "./own-writes.ts";
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
  const keeper = new NodeKeeper(options, events);
  const queue = new WorkQueue<string>({
    clock,
    signal,
    workers: options.workers ?? WORKERS,
    backoff: BACKOFF,
    work: (name) => keeper.keep(nodes.get(name)),
    onFailure: (node, error, waitMs) => {
      const isStale = isApiFault(error, "Conflict", "NotFound");
      const say = isStale ? "debug" : "warn";
      log[say]("what a node's machine is could not be written; will try again", { node, error, waitMs });
    },
  });
  using stops = new DisposableStack();
  stops.defer(
    nodes.subscribe((change) => {
      if (change.type === "removed") keeper.forget(change.key);
      else queue.add(change.key);
    }),
  );
  for await (const _ of ticks(clock, options.periodMs ?? PERIOD_MS, { signal }))
    for (const { metadata } of nodes.list()) queue.add(metadata.name);
}

/** Brings one Node at a time to what its machine is. */
class NodeKeeper {
  readonly #client: KubeClient;
  readonly #log: Logger;
  readonly #events: EventRecorder;
  readonly #told: ToldProblems;
  readonly #patience: Patience;
  readonly #pace: AddressPace;
  readonly #own = new OwnWrites();

  constructor({ client, clock, log }: CloudNodesOptions, events: EventRecorder) {
    this.#client = client;
    this.#log = log;
    this.#events = events;
    this.#told = new ToldProblems(events, log);
    this.#patience = new Patience(clock, log);
    this.#pace = new AddressPace(clock);
  }

  /** @returns after how many milliseconds to look again, where no news may come */
  async keep(node: Node | undefined): Promise<number | undefined> {
    if (node === undefined || this.#own.isStale(node)) return undefined;
    const plan = planNode(node);
    this.#told.note(node, plan.problems);
    const waitMs = this.#waitMs(node, plan);
    if (waitMs > 0) return waitMs;
    await this.#carryOut(node, plan);
    return this.#patience.leftMs(node, plan);
  }

  forget(name: string): void {
    for (const part of [this.#told, this.#patience, this.#pace, this.#own]) part.forget(name);
  }

  #waitMs({ metadata }: Node, { addresses, initializes }: NodePlan): number {
    return addresses === undefined || initializes ? 0 : this.#pace.waitMs(metadata.name, addresses);
  }

  /** Addresses come first: who is scheduled to the Node may ask for them at once. */
  async #carryOut(node: Node, { addresses, ...plan }: NodePlan): Promise<void> {
    const { name } = node.metadata;
    const addressed = addresses === undefined ? node : await writeAddresses(this.#client, node, addresses);
    if (addresses !== undefined) this.#pace.wrote(name, addresses);
    const last = addresses === undefined ? plan : planNode(addressed);
    const before = addresses === undefined ? [] : [node];
    if (last.node === undefined) return this.#own.note(name, before);
    await this.#client.replace(NODES, last.node);
    this.#own.note(name, [...before, addressed]);
    if (!last.initializes) return;
    this.#log.info("a node is ready for pods", { node: name, providerId: last.node.spec?.providerID });
    this.#events.record(node, { type: "Normal", reason: "Synced", message: "Node synced successfully" });
  }
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
