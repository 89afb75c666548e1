import { setImmediate } from "node:timers/promises";
import type { Cidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { type Ip, isIp, parseIp } from "#addr/ip";
import type { Node } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { Cell } from "#life/cell";
import type { Logger } from "#telemetry/log";
import { FLANNEL_KEYS } from "#wire/flannel-annotations";
import type { FabricSnapshot, Lease, NodeView, Peer } from "./model.ts";
import { missingSubnets, readLease, sameView, viewNode } from "./node-view.ts";
import { readMembers, readPeers } from "./peers.ts";
import type { Refusal } from "./taken.ts";

export interface NodeWatchOptions {
  readonly nodes: Informer<Node>;
  readonly nodeName: string;
  readonly clusterCidrs: readonly Cidr[];
  /** Of the cluster's VXLAN, where it is this node's backend. */
  readonly vni: number | undefined;
  readonly log: Logger;
}

/** The cluster's nodes as the fabric sees them. Most changes of Nodes are heartbeats, which never get past here. */
export class NodeWatch implements Disposable {
  readonly #options: NodeWatchOptions;
  readonly #views = new Map<string, NodeView>();
  readonly #changes = new Cell<true>();
  readonly #unsubscribe: () => void;
  #lease: Lease | undefined;
  #peers: readonly Peer[] = [];
  #refusals: readonly Refusal[] = [];
  #refused = new Set<string>();
  #pendingWhy = "";
  /** What the lease lacks. */
  #missing: string | undefined;

  constructor(options: NodeWatchOptions) {
    this.#options = options;
    this.#unsubscribe = options.nodes.subscribe((change) => {
      if (change.type === "removed") this.#remove(change.before.metadata.name ?? "");
      else this.#put(viewNode(change.object));
    });
  }

  /** Yields whenever something changes that matters, from when this node has its lease. A lease once held is kept while
   *  the Node is away or being made anew: pods go on running. */
  async *snapshots({ signal }: { signal: AbortSignal }): AsyncGenerator<FabricSnapshot> {
    for await (const _ of this.#changes.values({ signal })) {
      // Nodes that are told of together make one round: a round looks at all of them.
      await setImmediate();
      const lease = this.#readLease();
      if (lease) yield this.#snapshot(lease);
    }
  }

  /** What the cluster's Nodes say, this one's too. */
  get views(): readonly NodeView[] {
    return [...this.#views.values()];
  }

  /** What of it is not believed. */
  get refusals(): readonly Refusal[] {
    return this.#refusals;
  }

  /** Why this node has no lease; empty once it has. */
  get pendingWhy(): string {
    return this.#pendingWhy;
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }

  #put(view: NodeView): void {
    const before = this.#views.get(view.name);
    if (before && sameView(before, view)) return;
    this.#views.set(view.name, view);
    this.#changes.set(true);
  }

  #remove(name: string): void {
    if (this.#views.delete(name)) this.#changes.set(true);
  }

  get #own(): NodeView | undefined {
    return this.#views.get(this.#options.nodeName);
  }

  /** Where packets for this node itself come to, by what its Node says. */
  #ownIps(): ReadonlySet<Ip> {
    const { addresses = [], annotations = {} } = this.#own ?? {};
    const told = FAMILIES.map((family) => annotations[FLANNEL_KEYS[family].publicIp] ?? "");
    return new Set([...addresses, ...told].filter(isIp).map(parseIp));
  }

  #readLease(): Lease | undefined {
    const { clusterCidrs, log } = this.#options;
    const reading = readLease(this.#own, clusterCidrs);
    if (reading.kind === "acquired") {
      this.#lease = reading.lease;
      this.#pendingWhy = "";
      const missing = missingSubnets(reading.lease, clusterCidrs);
      if (missing !== undefined && missing !== this.#missing)
        log.error("pods of this node lack a family of their cluster", { why: missing });
      this.#missing = missing;
    } else if (reading.why !== this.#pendingWhy) {
      this.#pendingWhy = reading.why;
      log.info("waiting for this node's pod network", { why: reading.why });
    }
    return this.#lease;
  }

  #snapshot(lease: Lease): FabricSnapshot {
    const { clusterCidrs, vni } = this.#options;
    const views = [...this.#views.values()];
    const { peers, refusals } = readPeers(views, {
      lease,
      clusterCidrs,
      vni,
      ownIps: this.#ownIps(),
      before: this.#peers,
    });
    this.#peers = peers;
    this.#warn(refusals);
    return { lease, said: this.#own?.annotations, peers, members: readMembers(views, peers, clusterCidrs) };
  }

  /** Once for each thing that is wrong; again when it was right in between. */
  #warn(refusals: readonly Refusal[]): void {
    const now = new Set<string>();
    for (const { node, key, value, problem } of refusals) {
      const said = JSON.stringify([node, key, value]);
      now.add(said);
      if (!this.#refused.has(said))
        this.#options.log.warn("a node says something of itself that cannot be; ignored", {
          node,
          key,
          value: value.slice(0, 200),
          problem,
        });
    }
    this.#refused = now;
    this.#refusals = refusals;
  }
}
