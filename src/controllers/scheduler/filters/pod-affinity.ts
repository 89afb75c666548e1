import type { ClusterView } from "../cluster-view.ts";
import type { NodeView } from "../node-view.ts";
import type { Alike } from "../pod-index.ts";
import type { PodInfo } from "../pod-info.ts";
import { type NamespaceLabels, type Term, termMatches } from "../terms.ts";

/** Pods counted by topology key and value. */
type Counts = Map<string, Map<string, number>>;

/** What pods already placed mean for where a new one may go. */
export class PodAffinity {
  readonly #info: PodInfo;
  readonly #cluster: ClusterView;
  readonly #namespaceLabels: NamespaceLabels;
  /** Pods that all the affinity terms speak of. */
  readonly #wanted: Counts = new Map();
  readonly #avoided: Counts = new Map();
  /** Pods whose own anti-affinity speaks of the new one. */
  readonly #closed: Counts = new Map();

  constructor(
    info: PodInfo,
    { cluster, namespaceLabels }: { cluster: ClusterView; namespaceLabels: NamespaceLabels },
  ) {
    this.#info = info;
    this.#cluster = cluster;
    this.#namespaceLabels = namespaceLabels;
    const { affinity, antiAffinity } = info.terms;
    if (affinity.length > 0) {
      const ids = affinity.map(({ id }) => id).join();
      const liked = cluster.index.ask(`all ${ids}`, (group) => this.#areAll(affinity, group));
      for (const { topologyKey } of affinity) this.#collect(this.#wanted, topologyKey, liked);
    }
    for (const term of antiAffinity) {
      const groups = cluster.index.ask(term.id, (group) => termMatches(term, group, namespaceLabels));
      this.#collect(this.#avoided, term.topologyKey, groups);
    }
    for (const { terms, perNode } of cluster.index.repelling) {
      for (const term of terms.antiAffinity)
        if (termMatches(term, info, namespaceLabels))
          this.#collect(this.#closed, term.topologyKey, [{ perNode }]);
    }
  }

  /** Why the pod may not go to the node; undefined when it may. */
  refusal({ labels }: NodeView): string | undefined {
    const { affinity, antiAffinity } = this.#info.terms;
    if (affinity.length > 0 && !this.#isWanted(labels)) return "node(s) didn't match pod affinity rules";
    for (const { topologyKey } of antiAffinity)
      if (has(this.#avoided, topologyKey, labels)) return "node(s) didn't match pod anti-affinity rules";
    for (const key of this.#closed.keys())
      if (has(this.#closed, key, labels)) return "node(s) didn't satisfy existing pods anti-affinity rules";
    return undefined;
  }

  shift(other: PodInfo, { labels }: NodeView, by: 1 | -1): void {
    const { affinity, antiAffinity } = this.#info.terms;
    const step = (counts: Counts, key: string) => {
      const value = labels[key];
      if (value !== undefined) count(counts, { key, value, by });
    };
    if (affinity.length > 0 && this.#areAll(affinity, other))
      for (const key of new Set(affinity.map(({ topologyKey }) => topologyKey))) step(this.#wanted, key);
    for (const term of antiAffinity)
      if (termMatches(term, other, this.#namespaceLabels)) step(this.#avoided, term.topologyKey);
    for (const term of other.terms.antiAffinity)
      if (termMatches(term, this.#info, this.#namespaceLabels)) step(this.#closed, term.topologyKey);
  }

  /** Near every kind of pod asked for; the first of pods that like each other may go wherever the topology is known. */
  #isWanted(labels: Readonly<Record<string, string>>): boolean {
    const { affinity } = this.#info.terms;
    if (affinity.some(({ topologyKey }) => labels[topologyKey] === undefined)) return false;
    if (affinity.every(({ topologyKey }) => has(this.#wanted, topologyKey, labels))) return true;
    const isNobodyThere = [...this.#wanted.values()].every(({ size }) => size === 0);
    return isNobodyThere && this.#areAll(affinity, this.#info);
  }

  #areAll(terms: readonly Term[], group: Pick<Alike, "namespace" | "labels">): boolean {
    return terms.every((term) => termMatches(term, group, this.#namespaceLabels));
  }

  #collect(counts: Counts, key: string, groups: Iterable<Pick<Alike, "perNode">>): void {
    for (const { perNode } of groups) {
      for (const [name, by] of perNode) {
        const value = this.#cluster.node(name)?.labels[key];
        if (value !== undefined) count(counts, { key, value, by });
      }
    }
  }
}

function has(counts: Counts, key: string, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[key];
  return value !== undefined && (counts.get(key)?.has(value) ?? false);
}

function count(counts: Counts, { key, value, by }: { key: string; value: string; by: number }): void {
  let values = counts.get(key);
  if (values === undefined) {
    values = new Map();
    counts.set(key, values);
  }
  const left = (values.get(value) ?? 0) + by;
  if (left === 0) values.delete(value);
  else values.set(value, left);
}
