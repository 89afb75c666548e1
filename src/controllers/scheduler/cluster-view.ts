import type { Node, Pod } from "#kube/generated/types";
import { uidOf } from "#kube/owner";
import { milliOf } from "#kube/quantity";
import { isFinished } from "../pods.ts";
import { type Amounts, type HostPort, hostPortsOf, requestsOf, scoredRequests } from "./requests.ts";

export interface PlacedPod {
  readonly pod: Pod;
  readonly requests: Amounts;
  readonly scored: { readonly cpu: number; readonly memory: number };
  readonly ports: readonly HostPort[];
}

/** One node with the pods on it, as the scheduler sees it. */
export class NodeView {
  readonly node: Node;
  readonly allocatable: Amounts;
  readonly pods = new Map<string, PlacedPod>();
  /** Those of them with something to say about which pods they like beside them; most have not. */
  readonly choosy = new Map<string, PlacedPod>();
  readonly used = new Map<string, number>();
  readonly scored = { cpu: 0, memory: 0 };

  constructor(node: Node, pods: Iterable<PlacedPod> = []) {
    this.node = node;
    const { allocatable = node.status?.capacity ?? {} } = node.status ?? {};
    this.allocatable = new Map(
      Object.entries(allocatable).map(([name, quantity]) => [name, milliOf(quantity)] as const),
    );
    for (const placed of pods) this.put(placed);
  }

  get name(): string {
    return this.node.metadata.name;
  }

  put(placed: PlacedPod): void {
    this.drop(uidOf(placed.pod));
    this.pods.set(uidOf(placed.pod), placed);
    const { affinity } = placed.pod.spec ?? {};
    if (affinity?.podAffinity || affinity?.podAntiAffinity) this.choosy.set(uidOf(placed.pod), placed);
    this.#count(placed, 1);
  }

  drop(uid: string): void {
    const placed = this.pods.get(uid);
    if (placed === undefined) return;
    this.pods.delete(uid);
    this.choosy.delete(uid);
    this.#count(placed, -1);
  }

  #count(placed: PlacedPod, sign: 1 | -1): void {
    for (const [name, amount] of placed.requests)
      this.used.set(name, (this.used.get(name) ?? 0) + sign * amount);
    this.scored.cpu += sign * placed.scored.cpu;
    this.scored.memory += sign * placed.scored.memory;
  }
}

/** Nodes and what runs on them, kept up to date change by change; pods just placed count before the API confirms them. */
export class ClusterView {
  readonly #nodes = new Map<string, NodeView>();
  /** Pods on nodes not known (yet), so that nothing is lost whichever comes first. */
  readonly #homeless = new Map<string, Map<string, PlacedPod>>();
  readonly #places = new Map<string, string>();
  readonly #assumed = new Set<string>();

  get nodes(): readonly NodeView[] {
    return [...this.#nodes.values()];
  }

  get size(): number {
    return this.#nodes.size;
  }

  setNode(node: Node): void {
    const { name } = node.metadata;
    const pods = this.#nodes.get(name)?.pods ?? this.#homeless.get(name);
    this.#homeless.delete(name);
    this.#nodes.set(name, new NodeView(node, pods?.values()));
  }

  removeNode(name: string): void {
    const view = this.#nodes.get(name);
    if (view === undefined) return;
    this.#nodes.delete(name);
    this.#homeless.set(name, new Map(view.pods));
  }

  /** Takes the API's word, except that a pod assumed to be placed stays so while the API shows it unplaced. */
  setPod(pod: Pod): void {
    const uid = uidOf(pod);
    const nodeName = pod.spec?.nodeName ?? "";
    if (isFinished(pod)) this.removePod(uid);
    else if (nodeName !== "") {
      this.#assumed.delete(uid);
      this.#place(pod, nodeName);
    } else if (!this.#assumed.has(uid)) this.removePod(uid);
  }

  assume(pod: Pod, nodeName: string): void {
    this.#assumed.add(uidOf(pod));
    this.#place(pod, nodeName);
  }

  /** Undoes an assumption that came to nothing. */
  forget(pod: Pod): void {
    if (this.#assumed.has(uidOf(pod))) this.removePod(uidOf(pod));
  }

  isAssumed(uid: string): boolean {
    return this.#assumed.has(uid);
  }

  removePod(uid: string): void {
    this.#assumed.delete(uid);
    const nodeName = this.#places.get(uid);
    if (nodeName === undefined) return;
    this.#places.delete(uid);
    this.#nodes.get(nodeName)?.drop(uid);
    const homeless = this.#homeless.get(nodeName);
    homeless?.delete(uid);
    if (homeless?.size === 0) this.#homeless.delete(nodeName);
  }

  #place(pod: Pod, nodeName: string): void {
    const uid = uidOf(pod);
    if (this.#places.get(uid) !== nodeName) this.#move(uid);
    this.#places.set(uid, nodeName);
    const placed = {
      pod,
      requests: requestsOf(pod),
      scored: scoredRequests(pod),
      ports: hostPortsOf(pod),
    };
    const view = this.#nodes.get(nodeName);
    if (view) view.put(placed);
    else {
      const homeless = this.#homeless.get(nodeName) ?? new Map<string, PlacedPod>();
      homeless.set(uid, placed);
      this.#homeless.set(nodeName, homeless);
    }
  }

  /** Takes the pod off its old node; whether it is assumed stays. */
  #move(uid: string): void {
    const isAssumed = this.#assumed.has(uid);
    this.removePod(uid);
    if (isAssumed) this.#assumed.add(uid);
  }
}
