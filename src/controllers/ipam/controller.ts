import { type Cidr, cidrFamily, parseCidr } from "#addr/cidr";
import { AddrError } from "#addr/tagged";
import { isApiFault } from "#kube/api-fault";
import type { EventRecorder } from "#kube/event-recorder";
import type { Node } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { NODES } from "#kube/resources";
import type { WorkQueue } from "#life/work-queue";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { CidrSet } from "./cidr-set.ts";

const EXHAUSTED_RETRY_MS = 10_000;

/** Gives each node its pod networks, one of each cluster network, never one that another node has. */
export function runNodeIpam(context: ControllerContext): void {
  new NodeIpam(context).run();
}

class NodeIpam {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #sets: readonly CidrSet[];
  /** What each node has, or is about to get. */
  readonly #held = new Map<string, readonly Cidr[]>();
  readonly #queue: WorkQueue<string>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "cidrAllocator");
    this.#sets = context.clusterCidrs.map((cidr) => new CidrSet(cidr, maskOf(context, cidr)));
    this.#queue = openQueue(context, "ipam", { workers: 10, work: (name) => this.#sync(name) });
  }

  run(): void {
    const { nodes } = this.#context.informers;
    // All that is taken is known before anything is given.
    for (const node of nodes.list()) this.#adopt(node);
    nodes.subscribe((change) => {
      if (change.type === "removed") this.#release(change.before.metadata.name);
      else this.#queue.add(change.object.metadata.name);
    });
  }

  async #sync(name: string): Promise<number | undefined> {
    const { informers, client } = this.#context;
    const node = informers.nodes.get(name);
    if (node === undefined || isDeleting(node)) return undefined;
    if ((node.spec?.podCIDRs ?? []).length > 0) {
      this.#adopt(node);
      return undefined;
    }
    const cidrs = this.#held.get(name) ?? this.#allocate(name);
    if (cidrs === undefined) {
      this.#complain(node, "CIDRNotAvailable");
      return EXHAUSTED_RETRY_MS;
    }
    const patch = { metadata: { uid: node.metadata.uid }, spec: { podCIDR: cidrs[0], podCIDRs: cidrs } };
    try {
      await client.patch(NODES, { name }, patch, { type: "merge" });
      this.#context.log.info("pod network assigned", { node: name, podCidrs: cidrs });
    } catch (error) {
      // Without an answer the node may have them: they stay held, and the retry asks for the same.
      if (!isApiFault(error, "Unreachable", "Timeout", "ServerTimeout")) {
        this.#release(name);
        if (!isApiFault(error, "NotFound", "Conflict")) this.#complain(node, "CIDRAssignmentFailed");
      }
      throw error;
    }
    return undefined;
  }

  #allocate(name: string): readonly Cidr[] | undefined {
    const cidrs: Cidr[] = [];
    for (const set of this.#sets) {
      const cidr = set.allocate();
      if (cidr !== undefined) cidrs.push(cidr);
    }
    this.#held.set(name, cidrs);
    if (cidrs.length === this.#sets.length) return cidrs;
    this.#release(name);
    return undefined;
  }

  /** Takes note of the networks a node already has; what was meant for it instead is free again. */
  #adopt(node: Node): void {
    const { name } = node.metadata;
    const cidrs = (node.spec?.podCIDRs ?? []).flatMap((text) => this.#parse(name, text));
    if (cidrs.length === 0 || this.#held.get(name)?.join() === cidrs.join()) return;
    this.#release(name);
    this.#held.set(name, cidrs);
    for (const cidr of cidrs) {
      if (!this.#sets.some((set) => set.occupy(cidr)))
        this.#context.log.warn("a node's pod network lies outside the cluster's", {
          node: name,
          podCidr: cidr,
        });
    }
  }

  #release(name: string): void {
    for (const cidr of this.#held.get(name) ?? []) for (const set of this.#sets) set.release(cidr);
    this.#held.delete(name);
  }

  #parse(node: string, text: string): readonly Cidr[] {
    try {
      return [parseCidr(text, { hostBits: "clear" })];
    } catch (error) {
      if (!(error instanceof AddrError)) throw error;
      this.#context.log.warn("a node's pod network cannot be read", { node, error });
      return [];
    }
  }

  #complain(node: Node, reason: string): void {
    const message = `Node ${node.metadata.name} status is now: ${reason}`;
    this.#events.record(node, { type: "Normal", reason, message });
  }
}

function maskOf({ nodeMask }: ControllerContext, cidr: Cidr): number {
  const mask = nodeMask[cidrFamily(cidr)];
  if (mask === undefined) throw new Error(`broken invariant: no node mask for ${cidr}`);
  return mask;
}
