import { isApiFault } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { Node, Pod } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { NODES, PODS } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { BY_NODE, LEASE_NAMESPACE } from "../informers.ts";
import { isReady, readyCondition } from "../pods.ts";
import { formatTime } from "../time.ts";
import {
  desiredTaints,
  Heartbeats,
  hasEvictionTaint,
  isNodeReady,
  readyOf,
  silencedConditions,
} from "./health.ts";
import { EvictionGate } from "./zones.ts";

const RETRY_EVICTION_MS = 1_000;

/** Notices nodes that fall silent, taints nodes by their conditions, and marks the pods of a node that is not ready as such. */
export function runNodeLifecycle(context: ControllerContext): void {
  new NodeLifecycle(context).run();
}

class NodeLifecycle {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #heartbeats = new Heartbeats();
  readonly #gate = new EvictionGate();
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "node-controller");
    this.#queue = openQueue(context, "node-lifecycle", { workers: 8, work: (name) => this.#sync(name) });
  }

  run(): void {
    const { nodes, leases, pods } = this.#context.informers;
    nodes.subscribe((change) => {
      const node = change.type === "removed" ? change.before : change.object;
      const { name } = node.metadata;
      if (change.type === "added")
        this.#note(node, "RegisteredNode", `Registered Node ${name} in Controller`);
      if (change.type === "removed") {
        this.#note(node, "RemovingNode", `Removing Node ${name} from Controller`);
        this.#heartbeats.forget(name);
      } else this.#queue.add(name);
    });
    leases.subscribe((change) => {
      if (change.type !== "removed") this.#queue.add(change.object.metadata.name);
    });
    pods.subscribe((change) => {
      if (change.type === "removed") return;
      const node = nodes.get(change.object.spec?.nodeName ?? "");
      if (node !== undefined && isSilent(node) && isReady(change.object)) this.#queue.add(node.metadata.name);
    });
  }

  async #sync(name: string): Promise<number | undefined> {
    const { informers, clock, client } = this.#context;
    const now = clock.now();
    let node = informers.nodes.get(name);
    if (node === undefined || isDeleting(node)) return undefined;
    this.#heartbeats.observe(node, informers.leases.get(`${LEASE_NAMESPACE}/${name}`), now);
    const leftMs = this.#heartbeats.leftMs(node, now);
    if (leftMs <= 0) {
      const stored = node.status?.conditions ?? [];
      const conditions = silencedConditions(stored, now);
      if (conditions !== stored)
        node = await client.replace(
          NODES,
          { ...node, status: { ...node.status, conditions } },
          { subresource: "status" },
        );
    }
    const isWaiting = await this.#taint(node, now);
    if (isSilent(node)) await this.#markPods(node);
    if (isWaiting) return RETRY_EVICTION_MS;
    return leftMs > 0 ? leftMs + 1 : undefined;
  }

  /** True when pods should be driven away but it is not this node's turn. */
  async #taint(node: Node, now: number): Promise<boolean> {
    const { informers, client } = this.#context;
    const isDown = readyOf(node) !== undefined && !isNodeReady(node);
    const all = informers.nodes.list();
    const isAnyReady = all.some(isNodeReady);
    const mayEvict = isDown && isAnyReady && (hasEvictionTaint(node) || this.#gate.admits(node, all, now));
    const taints = desiredTaints(node, mayEvict, now);
    if (taints !== undefined) await client.replace(NODES, { ...node, spec: { ...node.spec, taints } });
    return isDown && !mayEvict;
  }

  /** Endpoints drop such pods minutes before they are evicted. */
  async #markPods(node: Node): Promise<void> {
    const pods = this.#context.informers.pods.byIndex(BY_NODE, node.metadata.name).filter(isReady);
    if (pods.length === 0) return;
    this.#note(node, "NodeNotReady", `Node ${node.metadata.name} status is now: NodeNotReady`, true);
    await Promise.all(pods.map((pod) => this.#markPod(pod)));
  }

  async #markPod(pod: Pod): Promise<void> {
    const { client, clock } = this.#context;
    const ready = readyCondition(pod);
    const condition = {
      ...ready,
      type: "Ready",
      status: "False",
      lastTransitionTime: formatTime(clock.now()),
    };
    const { uid, resourceVersion } = pod.metadata;
    const patch = { metadata: { uid, resourceVersion }, status: { conditions: [condition] } };
    try {
      await client.patch(PODS, pod.metadata, patch, { type: "strategic", subresource: "status" });
      const message = "Node is not ready";
      this.#events.record(pod, { type: "Warning", reason: "NodeNotReady", message });
    } catch (error) {
      if (!isApiFault(error, "NotFound")) throw error;
    }
  }

  #note(node: Node, reason: string, text: string, isVerbatim = false): void {
    const message = isVerbatim ? text : `Node ${node.metadata.name} event: ${text}`;
    this.#events.record(node, { type: "Normal", reason, message });
  }
}

/** Whether nobody answers for its pods. A node that says itself that it is not ready still tells how they are. */
function isSilent(node: Node): boolean {
  return readyOf(node)?.status === "Unknown";
}
