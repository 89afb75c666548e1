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
import { adoptionPatch, desiredNode, type NodeIdentity, type NodeState, nodeStatus } from "./desired-node.ts";

const COMPUTE_MS = 10_000;
/** An unchanged status is written again after this long, for its heartbeat times. */
const REPORT_MS = 300_000;

export interface NodeReporterOptions {
  readonly client: KubeClient;
  readonly events: EventRecorder;
  readonly identity: NodeIdentity;
  /** What is true of the node now. */
  readonly state: () => Omit<NodeState, "now" | "identity">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Keeps the Node object: registers it or takes it over, and writes its status when it changes and every five minutes. */
export class NodeReporter {
  readonly #options: NodeReporterOptions;
  #node: Node | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #wasReady: boolean | undefined;

  constructor(options: NodeReporterOptions) {
    this.#options = options;
  }

  get node(): Node | undefined {
    return this.#node;
  }

  /** Resolves once the API has the Node; tries until then. */
  async register(): Promise<Node> {
    const { clock, signal, log } = this.#options;
    const node = await retry(() => this.#registerOnce(), {
      clock,
      signal,
      shape: { firstMs: 100, maxMs: 7_000 },
      onFailure: (error, waitMs) => {
        if (!isApiFault(error)) throw error;
        log.warn("the node could not be registered; will try again", { error: explain(error), waitMs });
      },
    });
    this.#node = node;
    return node;
  }

  /** Computes the status and writes it if it says anything new. @throws {ApiFault} */
  async report(): Promise<void> {
    const { client, identity, clock } = this.#options;
    const at = clock.now();
    const now = `${new Date(at).toISOString().slice(0, 19)}Z`;
    const fresh = at - this.#reportedAt >= REPORT_MS;
    const node = fresh || !this.#node ? await client.get(NODES, { name: identity.name }) : this.#node;
    const before = node.status ?? {};
    const status = nodeStatus({ ...this.#options.state(), identity, now }, before);
    if (!fresh && isDeepStrictEqual(timeless(status), timeless(before))) return;
    const patch = { status: replacingAddresses(status) };
    this.#node = await client.patch(NODES, { name: identity.name }, patch, {
      type: "strategic",
      subresource: "status",
    });
    this.#reportedAt = at;
    this.#noteReadiness(status);
  }

  /** Reports again and again until aborted; failures are logged and tried at the next round. */
  async run(): Promise<void> {
    const { clock, signal, log } = this.#options;
    for await (const _ of ticks(clock, COMPUTE_MS, { signal })) {
      await this.report().catch((error: unknown) => {
        if (!isApiFault(error)) throw error;
        this.#reportedAt = Number.NEGATIVE_INFINITY;
        if (!signal.aborted)
          log.warn("the node's status could not be written; will try again", { error: explain(error) });
      });
    }
  }

  async #registerOnce(): Promise<Node> {
    const { client, identity } = this.#options;
    try {
      return await client.create(NODES, desiredNode(identity));
    } catch (error) {
      if (!isApiFault(error, "AlreadyExists")) throw error;
    }
    const standing = await client.get(NODES, { name: identity.name });
    const patch = adoptionPatch(identity, standing);
    return patch ? client.patch(NODES, { name: identity.name }, patch, { type: "strategic" }) : standing;
  }

  #noteReadiness(status: NodeStatus): void {
    const isReady =
      status.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false;
    if (isReady === this.#wasReady) return;
    this.#wasReady = isReady;
    const { events, identity } = this.#options;
    const reason = isReady ? "NodeReady" : "NodeNotReady";
    const message = `Node ${identity.name} status is now: ${reason}`;
    if (this.#node)
      events.record({ ...this.#node, apiVersion: "v1", kind: "Node" }, { type: "Normal", reason, message });
  }
}

/** Addresses merge by type, which would drop the second of two families: the list is replaced as a whole. */
function replacingAddresses(status: NodeStatus): unknown {
  return { ...status, addresses: [{ $patch: "replace" }, ...(status.addresses ?? [])] };
}

function timeless({
  conditions = [],
  addresses,
  capacity,
  allocatable,
  nodeInfo,
  daemonEndpoints,
}: NodeStatus): unknown {
  const kept = conditions.map(({ lastHeartbeatTime: _, ...rest }) => rest);
  const byType = kept.sort((a, b) => (a.type < b.type ? -1 : 1));
  return JSON.parse(JSON.stringify([byType, addresses, capacity, allocatable, nodeInfo, daemonEndpoints]));
}
