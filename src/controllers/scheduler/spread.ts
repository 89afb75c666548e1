import type { LabelSelector, Pod, TopologySpreadConstraint } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { matchesNode } from "#kube/node-affinity";
import { HARD_EFFECTS, untolerated } from "#kube/tolerations";
import type { ClusterView } from "./cluster-view.ts";
import { DomainCounts } from "./domain-counts.ts";
import type { NodeView } from "./node-view.ts";
import type { Alike } from "./pod-index.ts";
import type { PodInfo } from "./pod-info.ts";
import { withLabelKeys } from "./terms.ts";

const HOSTNAME = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";

type When = "DoNotSchedule" | "ScheduleAnyway";

/** A spread constraint with its selector resolved. */
export interface Spread {
  readonly constraint: TopologySpreadConstraint;
  readonly selector: LabelSelector;
}

export function hasSpreads({ spec }: Pod, when: When): boolean {
  return (
    spec?.topologySpreadConstraints?.some(({ whenUnsatisfiable }) => whenUnsatisfiable === when) ?? false
  );
}

/** The pod's own constraints of one kind. */
export function ownSpreads({ metadata, spec }: Pod, when: When): readonly Spread[] {
  const { labels } = metadata;
  return (spec?.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when)
    .map((constraint) => {
      const { labelSelector, matchLabelKeys } = constraint;
      // Without a selector nobody is meant; an empty one means everybody.
      const selector = labelSelector ?? NOBODY;
      return { constraint, selector: withLabelKeys(selector, matchLabelKeys, { labels, operator: "In" }) };
    });
}

/** Pods of one group are kept apart, softly, when they say nothing of it themselves: over hosts, and over zones. */
export function defaultSpreads(group: LabelSelector | undefined): readonly Spread[] {
  if (group === undefined || isEmptySelector(group)) return [];
  const soft = (topologyKey: string, maxSkew: number): Spread => ({
    constraint: { topologyKey, maxSkew, whenUnsatisfiable: "ScheduleAnyway" },
    selector: group,
  });
  return [soft(HOSTNAME, 3), soft(ZONE, 5)];
}

/** The groups of pods a constraint counts: its namespace's, and not those on their way out. */
export function countedGroups(
  { namespace }: PodInfo,
  selector: LabelSelector,
  { index }: ClusterView,
): ReadonlySet<Alike> {
  return index.ask(
    `spread ${namespace} ${JSON.stringify(selector)}`,
    (group) => !group.isDeleting && group.namespace === namespace && matchesSelector(selector, group.labels),
  );
}

/** Whether the pods of a node count for the constraint. */
export function takesPart(pod: Pod, view: NodeView, { constraint }: Spread): boolean {
  if (constraint.nodeAffinityPolicy !== "Ignore" && !matchesNode(pod.spec, view.node)) return false;
  if (constraint.nodeTaintsPolicy !== "Honor" || view.hardTaints.length === 0) return true;
  return untolerated(view.hardTaints, pod.spec?.tolerations, HARD_EFFECTS).length === 0;
}

/** How far the pod's hard constraints are from being broken, domain by domain. */
export class HardSpreads {
  readonly #info: PodInfo;
  readonly #spreads: readonly (Spread & {
    readonly counts: DomainCounts;
    /** Whether the pod itself will count. */
    readonly self: 0 | 1;
  })[];

  constructor(info: PodInfo, cluster: ClusterView) {
    this.#info = info;
    this.#spreads = ownSpreads(info.pod, "DoNotSchedule").map((spread) => ({
      ...spread,
      counts: new DomainCounts(),
      self: matchesSelector(spread.selector, info.labels) ? 1 : 0,
    }));
    for (const spread of this.#spreads) this.#collect(spread, cluster);
  }

  /** Why a constraint keeps the pod off the node; undefined when none does. */
  refusal({ labels }: NodeView): string | undefined {
    for (const { constraint, counts, self } of this.#spreads) {
      const domain = labels[constraint.topologyKey];
      if (domain === undefined)
        return "node(s) didn't match pod topology spread constraints (missing required label)";
      const isFew = counts.size < (constraint.minDomains ?? 1);
      const least = isFew ? 0 : counts.least;
      if (counts.of(domain) + self - least > constraint.maxSkew)
        return "node(s) didn't match pod topology spread constraints";
    }
    return undefined;
  }

  shift(other: PodInfo, view: NodeView, by: 1 | -1): void {
    if (other.namespace !== this.#info.namespace || other.isDeleting || !this.#hasAllKeys(view)) return;
    for (const spread of this.#spreads) {
      if (!matchesSelector(spread.selector, other.labels) || !takesPart(this.#info.pod, view, spread))
        continue;
      spread.counts.add(view.labels[spread.constraint.topologyKey] ?? "", by);
    }
  }

  #collect(spread: Spread & { readonly counts: DomainCounts }, cluster: ClusterView): void {
    const { constraint, counts, selector } = spread;
    const groups = countedGroups(this.#info, selector, cluster);
    const sums = sumPerNode(groups);
    for (const view of cluster.nodes) {
      const domain = view.labels[constraint.topologyKey];
      if (domain === undefined || !this.#hasAllKeys(view) || !takesPart(this.#info.pod, view, spread))
        continue;
      counts.add(domain, 0);
      const here = sums.get(view.name);
      if (here !== undefined) counts.add(domain, here);
    }
  }

  #hasAllKeys({ labels }: NodeView): boolean {
    return this.#spreads.every(({ constraint }) => labels[constraint.topologyKey] !== undefined);
  }
}

/** Pods of any of the groups, by node. */
export function sumPerNode(groups: ReadonlySet<Alike>): ReadonlyMap<string, number> {
  const [first] = groups;
  if (first === undefined) return new Map();
  if (groups.size === 1) return first.perNode;
  const sums = new Map<string, number>();
  for (const { perNode } of groups)
    for (const [name, count] of perNode) sums.set(name, (sums.get(name) ?? 0) + count);
  return sums;
}

const NOBODY: LabelSelector = { matchExpressions: [{ key: "", operator: "Exists" }] };
