import type { Namespace, Pod, PodAffinityTerm } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import type { NodeView } from "./cluster-view.ts";

/** Labels of a namespace, by its name. */
export type NamespaceLabels = (name: string) => Namespace["metadata"]["labels"];

export function requiredAffinity({ spec }: Pod): readonly PodAffinityTerm[] {
  return spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}

export function requiredAntiAffinity({ spec }: Pod): readonly PodAffinityTerm[] {
  return spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}

/** Whether `other` is one of the pods that a term of `owner` speaks of. */
export function termMatches(
  term: PodAffinityTerm,
  owner: Pod,
  other: Pod,
  namespaceLabels: NamespaceLabels,
): boolean {
  const namespace = other.metadata.namespace ?? "";
  return (
    isInNamespaces(term, owner, namespace, namespaceLabels) &&
    term.labelSelector !== undefined &&
    matchesSelector(term.labelSelector, other.metadata.labels) &&
    sharesKeys(term, owner, other)
  );
}

/** What pods already placed mean for a new one, worked out once for all nodes. */
export interface PodAffinityFacts {
  /** For each of the pod's affinity terms: the topology values where a matching pod runs. */
  readonly wanted: readonly ReadonlySet<string>[];
  readonly avoided: readonly ReadonlySet<string>[];
  /** `key=value` of topologies closed by anti-affinity of pods that run there. */
  readonly closed: ReadonlySet<string>;
  /** Nothing runs yet that the terms speak of, and the pod itself is what they speak of: it may be the first. */
  readonly isFirst: boolean;
}

export function podAffinityFacts(
  pod: Pod,
  nodes: readonly NodeView[],
  namespaceLabels: NamespaceLabels,
): PodAffinityFacts {
  const affinity = requiredAffinity(pod);
  const avoid = requiredAntiAffinity(pod);
  const wanted = affinity.map(() => new Set<string>());
  const avoided = avoid.map(() => new Set<string>());
  const closed = new Set<string>();
  const isChoosy = affinity.length + avoid.length > 0;
  for (const { node, pods, choosy } of nodes) {
    const labels = node.metadata.labels ?? {};
    for (const { pod: other } of (isChoosy ? pods : choosy).values()) {
      collect(affinity, wanted, labels, (term) => termMatches(term, pod, other, namespaceLabels));
      collect(avoid, avoided, labels, (term) => termMatches(term, pod, other, namespaceLabels));
      for (const term of requiredAntiAffinity(other)) {
        const value = labels[term.topologyKey];
        if (value !== undefined && termMatches(term, other, pod, namespaceLabels))
          closed.add(`${term.topologyKey}=${value}`);
      }
    }
  }
  const isFirst =
    wanted.every((values) => values.size === 0) &&
    affinity.every((term) => termMatches(term, pod, pod, namespaceLabels));
  return { wanted, avoided, closed, isFirst };
}

/** Why pod affinity keeps the pod off the node; undefined when it does not. */
export function affinityRefusal(pod: Pod, { node }: NodeView, facts: PodAffinityFacts): string | undefined {
  const labels = node.metadata.labels ?? {};
  const isWanted = requiredAffinity(pod).every((term, i) => {
    const value = labels[term.topologyKey];
    return value !== undefined && (facts.isFirst || facts.wanted[i]?.has(value));
  });
  if (!isWanted) return "node(s) didn't match pod affinity rules";
  const isAvoided = requiredAntiAffinity(pod).some((term, i) => {
    const value = labels[term.topologyKey];
    return value !== undefined && facts.avoided[i]?.has(value);
  });
  if (isAvoided) return "node(s) didn't match pod anti-affinity rules";
  const isClosed = Object.entries(labels).some(([key, value]) => facts.closed.has(`${key}=${value}`));
  return isClosed ? "node(s) didn't satisfy existing pods anti-affinity rules" : undefined;
}

function collect(
  terms: readonly PodAffinityTerm[],
  into: readonly Set<string>[],
  labels: Readonly<Record<string, string>>,
  matches: (term: PodAffinityTerm) => boolean,
): void {
  for (const [i, term] of terms.entries()) {
    const value = labels[term.topologyKey];
    if (value !== undefined && matches(term)) into[i]?.add(value);
  }
}

function isInNamespaces(
  term: PodAffinityTerm,
  owner: Pod,
  namespace: string,
  namespaceLabels: NamespaceLabels,
): boolean {
  const named = term.namespaces ?? [];
  if (named.length === 0 && term.namespaceSelector === undefined)
    return owner.metadata.namespace === namespace;
  if (named.includes(namespace)) return true;
  return (
    term.namespaceSelector !== undefined &&
    matchesSelector(term.namespaceSelector, namespaceLabels(namespace))
  );
}

function sharesKeys(term: PodAffinityTerm, owner: Pod, other: Pod): boolean {
  const mine = owner.metadata.labels ?? {};
  const theirs = other.metadata.labels ?? {};
  return (
    (term.matchLabelKeys ?? []).every((key) => mine[key] === undefined || mine[key] === theirs[key]) &&
    (term.mismatchLabelKeys ?? []).every((key) => mine[key] === undefined || mine[key] !== theirs[key])
  );
}
