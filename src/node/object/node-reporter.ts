import { isDeepStrictEqual } from "node:util";
import { explain } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { EventRecorder } from "#kube/event-recorder";
import type { Node, NodeStatus } from "#kube/generated/types";
import { NODES } from "#kube/resources";
import { retry } from "#life/backoff";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import {
  adoptionPatch,
  desiredNode,
  isTakingOver,
  type NodeIdentity,
  type NodeState,
  nodeStatus,
} from "./desired-node.ts";
import { NodeEvents } from "./node-events.ts";

const COMPUTE_MS = 10_000;
/** An unchanged status is written again after this long, for its heartbeat times. */
const REPORT_MS = 300_000;
const RETRY = { firstMs: 100, maxMs: 7_000 };

export interface NodeReporterOptions {
  readonly client: KubeClient;
  readonly events: EventRecorder;
  readonly identity: NodeIdentity;
  /** Default ten seconds. */
  readonly periodMs?: number;
  /** What is true of the node now. */
  readonly state: () => Promise<Omit<NodeState, "now" | "identity">>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Keeps the Node object: registers it or takes it over, and writes its status when it changes and every five minutes. */
export class NodeReporter {
  readonly #options: NodeReporterOptions;
  /** As the API last gave it, while that is fresh. */
  #node: Node | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;
  readonly #events: NodeEvents;

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    this.#events = new NodeEvents(options.events);
  }

  /** An event about the node. */
  warn(reason: string, message: string): void {
    const { identity, events } = this.#options;
    // A kubelet names the node where its uid belongs; those who look for a node's events look for that.
    const metadata = { name: identity.name, uid: identity.name };
    events.record({ apiVersion: "v1", kind: "Node", metadata }, { type: "Warning", reason, message });
  }

  /** Resolves once the API has the Node; tries until then. */
  async register(): Promise<Node> {
    this.#node = await this.#untilDone("the node could not be registered", () => this.#registerOnce());
    return this.#node;
  }

  /** Resolves once the API has the status that is true now, or nothing is to be said yet; tries until then. */
  report(): Promise<void> {
    return this.#untilDone("the node's status could not be written", () => this.#reportOnce());
  }

  /** Resolves once the API has what follows from the node's addresses of now; tries until then. */
  async move(): Promise<void> {
    await this.#untilDone("the node's addresses could not be written", () => this.#adopt());
    await this.report();
  }

  /** Reports again and again until aborted. */
  async run(): Promise<void> {
    const { clock, signal } = this.#options;
    for await (const _ of ticks(clock, this.#options.periodMs ?? COMPUTE_MS, { signal })) {
      // Others write conditions too: the node controller, while it hears nothing of this node.
      this.#node = undefined;
      await this.report().catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  #untilDone<T>(complaint: string, attempt: () => Promise<T>): Promise<T> {
    const { clock, signal, log } = this.#options;
    return retry(attempt, {
      clock,
      signal,
      shape: RETRY,
      onFailure: (error, waitMs) => {
        if (!isApiFault(error)) throw error;
        this.#node = undefined;
        log.warn(`${complaint}; will try again`, { error: explain(error), waitMs });
      },
    });
  }

  async #reportOnce(): Promise<void> {
    const { client, identity, clock } = this.#options;
    const at = clock.now();
    const now = `${new Date(at).toISOString().slice(0, 19)}Z`;
    const node = this.#node ?? (await client.get(NODES, { name: identity.name }));
    const before = node.status ?? {};
    const state = { ...(await this.#options.state()), identity, now };
    if (isTakingOver(state, before)) return;
    const status = nodeStatus(state, before);
    const isDue = at - this.#reportedAt >= REPORT_MS;
    if (!isDue && isDeepStrictEqual(timeless(status), timeless(before))) return;
    const patch = { status: replacingAddresses(status, before) };
    this.#node = await client.patch(NODES, { name: identity.name }, patch, {
      type: "strategic",
      subresource: "status",
    });
    this.#reportedAt = at;
    this.#events.note(this.#node, before, status);
  }

  async #registerOnce(): Promise<Node> {
    const { client, identity } = this.#options;
    try {
      return await client.create(NODES, desiredNode(identity));
    } catch (error) {
      if (!isApiFault(error, "AlreadyExists")) throw error;
    }
    return this.#adopt();
  }

  /** The Node that stands, with all that this node wants on it. */
  async #adopt(): Promise<Node> {
    const { client, identity } = this.#options;
    const standing = await client.get(NODES, { name: identity.name });
    const patch = adoptionPatch(identity, standing);
    return patch ? client.patch(NODES, { name: identity.name }, patch, { type: "strategic" }) : standing;
  }
}

/** Addresses merge by type, which would drop the second of two families: the list is replaced as a whole. Those that stand are left
 *  out, for a cloud controller may have written others by now. */
function replacingAddresses({ addresses, ...status }: NodeStatus, before: NodeStatus): unknown {
  if (addresses === before.addresses) return status;
  return { ...status, addresses: [{ $patch: "replace" }, ...(addresses ?? [])] };
}

function timeless({
  conditions = [],
  addresses,
  capacity,
  allocatable,
  nodeInfo,
  daemonEndpoints,
  images,
  runtimeHandlers,
  features,
}: NodeStatus): unknown {
  const kept = conditions.map(({ lastHeartbeatTime: _, ...rest }) => rest);
  const byType = kept.sort((a, b) => (a.type < b.type ? -1 : 1));
  const own = [addresses, capacity, allocatable, nodeInfo, daemonEndpoints];
  const told = [byType, ...own, images ?? [], runtimeHandlers ?? [], features ?? {}];
  return JSON.parse(JSON.stringify(told));
}
