import type { Node } from "#kube/generated/types";
import { isFinished } from "../pods.ts";
import { NodeView } from "./node-view.ts";
import { PodIndex } from "./pod-index.ts";
import type { PodInfo } from "./pod-info.ts";

const ZONE = "topology.kubernetes.io/zone";
const REGION = "topology.kubernetes.io/region";

/** Nodes and what runs on them, kept up to date change by change; pods just placed count before the API confirms them. */
export class ClusterView {
  readonly index = new PodIndex();
  readonly #nodes = new Map<string, NodeView>();
  /** Where each pod is; pods on nodes not known (yet) are here too, so that nothing is lost whichever comes first. */
  readonly #places = new Map<string, { readonly nodeName: string; readonly info: PodInfo }>();
  readonly #strays = new Map<string, Map<string, PodInfo>>();
  readonly #assumed = new Set<string>();
  readonly #claims = new Map<string, number>();
  #images: ReadonlyMap<string, number> | undefined;
  #order: readonly NodeView[] | undefined;

  /** In turns through the zones, so that a search that stops early has seen them all. */
  get nodes(): readonly NodeView[] {
    this.#order ??= inTurns([...this.#nodes.values()]);
    return this.#order;
  }

  get size(): number {
    return this.#nodes.size;
  }

  node(name: string): NodeView | undefined {
    return this.#nodes.get(name);
  }

  /** How many placed pods use a claim, by `namespace/name`. */
  usersOf(claim: string): number {
    return this.#claims.get(claim) ?? 0;
  }

  /** How many nodes have an image. */
  spreadOf(image: string): number {
    this.#images ??= countImages(this.#nodes.values());
    return this.#images.get(image) ?? 0;
  }

  setNode(node: Node): void {
    const { name } = node.metadata;
    const before = this.#nodes.get(name);
    const view = new NodeView(node, before?.pods.values() ?? this.#strays.get(name)?.values());
    if (before === undefined) for (const info of view.pods.values()) this.index.put(info, name);
    this.#strays.delete(name);
    this.#nodes.set(name, view);
    this.#order = undefined;
    this.#images = undefined;
  }

  removeNode(name: string): void {
    const view = this.#nodes.get(name);
    if (view === undefined) return;
    this.#nodes.delete(name);
    for (const info of view.pods.values()) this.index.drop(info, name);
    if (view.pods.size > 0) this.#strays.set(name, new Map(view.pods));
    this.#order = undefined;
    this.#images = undefined;
  }

  /** Takes the API's word, except that a pod assumed to be placed stays so while the API shows it unplaced. */
  setPod(info: PodInfo): void {
    const nodeName = info.pod.spec?.nodeName ?? "";
    if (isFinished(info.pod)) this.removePod(info.uid);
    else if (nodeName !== "") this.#place(info, nodeName);
    else if (!this.#assumed.has(info.uid)) this.removePod(info.uid);
  }

  assume(info: PodInfo, nodeName: string): void {
    this.#place(info, nodeName);
    this.#assumed.add(info.uid);
  }

  /** Undoes an assumption that came to nothing. */
  forget(uid: string): void {
    if (this.#assumed.has(uid)) this.removePod(uid);
  }

  isAssumed(uid: string): boolean {
    return this.#assumed.has(uid);
  }

  /** A pod that is placed, as it was last told. */
  pod(uid: string): PodInfo | undefined {
    return this.#places.get(uid)?.info;
  }

  removePod(uid: string): void {
    this.#assumed.delete(uid);
    const place = this.#places.get(uid);
    if (place === undefined) return;
    const { nodeName, info } = place;
    this.#places.delete(uid);
    for (const claim of info.claims) this.#useClaim(claim, -1);
    const view = this.#nodes.get(nodeName);
    if (view) {
      view.drop(uid);
      this.index.drop(info, nodeName);
      return;
    }
    const strays = this.#strays.get(nodeName);
    strays?.delete(uid);
    if (strays?.size === 0) this.#strays.delete(nodeName);
  }

  #place(info: PodInfo, nodeName: string): void {
    this.removePod(info.uid);
    this.#places.set(info.uid, { nodeName, info });
    for (const claim of info.claims) this.#useClaim(claim, 1);
    const view = this.#nodes.get(nodeName);
    if (view) {
      view.put(info);
      this.index.put(info, nodeName);
      return;
    }
    const strays = this.#strays.get(nodeName) ?? new Map<string, PodInfo>();
    strays.set(info.uid, info);
    this.#strays.set(nodeName, strays);
  }

  #useClaim(claim: string, by: 1 | -1): void {
    const users = this.usersOf(claim) + by;
    if (users === 0) this.#claims.delete(claim);
    else this.#claims.set(claim, users);
  }
}

function countImages(nodes: Iterable<NodeView>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { images } of nodes)
    for (const image of images.keys()) counts.set(image, (counts.get(image) ?? 0) + 1);
  return counts;
}

function inTurns(nodes: readonly NodeView[]): readonly NodeView[] {
  const zones = Map.groupBy(nodes, ({ labels }) => `${labels[REGION] ?? ""}/${labels[ZONE] ?? ""}`);
  if (zones.size <= 1) return nodes;
  const longest = Math.max(...[...zones.values()].map(({ length }) => length));
  const turns = Array.from({ length: longest }, (_, i) =>
    [...zones.values()].flatMap((zone) => zone[i] ?? []),
  );
  return turns.flat();
}
