import type { LabelSelector, LabelSelectorRequirement, Pod, PodAffinityTerm } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";

/** Labels of a namespace, by its name. */
export type NamespaceLabels = (name: string) => Readonly<Record<string, string>> | undefined;

/** A pod affinity term with everything its own pod decides worked out: whom it speaks of, and over which topology. */
export interface Term {
  /** Equal for terms that speak of the same pods. */
  readonly id: string;
  readonly topologyKey: string;
  readonly namespaces: readonly string[];
  readonly namespaceSelector: LabelSelector | undefined;
  /** Without one the term speaks of nobody. */
  readonly selector: LabelSelector | undefined;
}

export interface WeightedTerm {
  readonly term: Term;
  /** Below zero for anti-affinity. */
  readonly weight: number;
}

export interface PodTerms {
  /** Equal for pods whose terms are the same. */
  readonly id: string;
  readonly affinity: readonly Term[];
  readonly antiAffinity: readonly Term[];
  readonly preferred: readonly WeightedTerm[];
}

const NO_TERMS: PodTerms = { id: "", affinity: [], antiAffinity: [], preferred: [] };

/** All of a pod's affinity and anti-affinity terms. */
export function termsOf(pod: Pod): PodTerms {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  if (podAffinity === undefined && podAntiAffinity === undefined) return NO_TERMS;
  const required = (terms: readonly PodAffinityTerm[] = []) => terms.map((term) => resolve(term, pod));
  const affinity = required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution);
  const antiAffinity = required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution);
  const to = podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const from = podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const preferred = [
    ...to.map(({ podAffinityTerm, weight }) => ({ term: resolve(podAffinityTerm, pod), weight })),
    ...from.map(({ podAffinityTerm, weight }) => ({ term: resolve(podAffinityTerm, pod), weight: -weight })),
  ];
  if (affinity.length + antiAffinity.length + preferred.length === 0) return NO_TERMS;
  const name = ({ id, topologyKey }: Term) => [id, topologyKey];
  const id = JSON.stringify([
    affinity.map(name),
    antiAffinity.map(name),
    preferred.map(({ term, weight }) => [...name(term), weight]),
  ]);
  return { id, affinity, antiAffinity, preferred };
}

/** Whether a pod of that namespace with those labels is one the term speaks of. */
export function termMatches(
  { namespaces, namespaceSelector, selector }: Term,
  { namespace, labels }: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  namespaceLabels: NamespaceLabels,
): boolean {
  if (selector === undefined || !matchesSelector(selector, labels)) return false;
  if (namespaces.includes(namespace)) return true;
  return namespaceSelector !== undefined && matchesSelector(namespaceSelector, namespaceLabels(namespace));
}

/** The selector with `keys` of the labels added as requirements: the same value, or (`NotIn`) another one. */
export function withLabelKeys(
  selector: LabelSelector,
  keys: readonly string[] | undefined,
  { labels, operator }: { labels: Readonly<Record<string, string>> | undefined; operator: "In" | "NotIn" },
): LabelSelector {
  const added = (keys ?? []).flatMap((key): LabelSelectorRequirement[] => {
    const value = labels?.[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
  if (added.length === 0) return selector;
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...added] };
}

function resolve(term: PodAffinityTerm, { metadata }: Pod): Term {
  const { namespaces = [], namespaceSelector, topologyKey } = term;
  const isOwn = namespaces.length === 0 && namespaceSelector === undefined;
  const resolved = {
    namespaces: isOwn ? [metadata.namespace ?? ""] : namespaces,
    namespaceSelector,
    selector: term.labelSelector && narrowed(term, term.labelSelector, metadata.labels),
  };
  return { ...resolved, topologyKey, id: JSON.stringify(resolved) };
}

function narrowed(
  { matchLabelKeys, mismatchLabelKeys }: PodAffinityTerm,
  selector: LabelSelector,
  labels: Readonly<Record<string, string>> | undefined,
): LabelSelector {
  const same = withLabelKeys(selector, matchLabelKeys, { labels, operator: "In" });
  return withLabelKeys(same, mismatchLabelKeys, { labels, operator: "NotIn" });
}
