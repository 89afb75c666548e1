import type { LabelSelector, Pod, TopologySpreadConstraint } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { isDeleting } from "#kube/owner";
import { matchesNode } from "../node-affinity.ts";
import { HARD_EFFECTS, untolerated } from "../tolerations.ts";
import type { NodeView } from "./cluster-view.ts";

const HOSTNAME = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";

/** A spread constraint with its selector resolved. */
export interface Spread {
  readonly constraint: TopologySpreadConstraint;
  readonly selector: LabelSelector;
  /** One of the scheduler's own: nodes that lack the label simply do not take part. */
  readonly isDefault: boolean;
}

export interface SpreadCounts extends Spread {
  /** Matching pods by topology value, over the nodes that take part. */
  readonly counts: ReadonlyMap<string, number>;
}

/** The pod's own constraints; without any, pods of one group are spread softly over hosts and zones. */
export function spreadsOf(pod: Pod, group: LabelSelector | undefined): readonly Spread[] {
  const own = pod.spec?.topologySpreadConstraints ?? [];
  if (own.length > 0)
    return own.map((constraint) => ({
      constraint,
      selector: withKeys(constraint, pod),
      isDefault: false,
    }));
  if (group === undefined || isEmptySelector(group)) return [];
  const soft = (topologyKey: string, maxSkew: number): Spread => ({
    constraint: { topologyKey, maxSkew, whenUnsatisfiable: "ScheduleAnyway" },
    selector: group,
    isDefault: true,
  });
  return [soft(HOSTNAME, 3), soft(ZONE, 5)];
}

/** How many pods of the group each domain has, for the constraints of one kind. */
export function countSpreads(
  pod: Pod,
  spreads: readonly Spread[],
  whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway",
  nodes: readonly NodeView[],
): readonly SpreadCounts[] {
  const wanted = spreads.filter(({ constraint }) => constraint.whenUnsatisfiable === whenUnsatisfiable);
  return wanted.map((spread) => {
    const counts = new Map<string, number>();
    for (const view of nodes) {
      const value = view.node.metadata.labels?.[spread.constraint.topologyKey];
      if (value === undefined || !takesPart(pod, view, wanted, spread)) continue;
      counts.set(value, (counts.get(value) ?? 0) + countOn(pod, view, spread.selector));
    }
    return { ...spread, counts };
  });
}

/** Why a hard constraint keeps the pod off the node; undefined when none does. */
export function spreadRefusal(
  pod: Pod,
  { node }: NodeView,
  hard: readonly SpreadCounts[],
): string | undefined {
  for (const { constraint, selector, counts } of hard) {
    const value = node.metadata.labels?.[constraint.topologyKey];
    if (value === undefined)
      return "node(s) didn't match pod topology spread constraints (missing required label)";
    const isFew = counts.size < (constraint.minDomains ?? 1);
    const minimum = isFew ? 0 : Math.min(...counts.values());
    const self = matchesSelector(selector, pod.metadata.labels) ? 1 : 0;
    if ((counts.get(value) ?? 0) + self - minimum > constraint.maxSkew)
      return "node(s) didn't match pod topology spread constraints";
  }
  return undefined;
}

/** Lower is better: pods of the group already in the node's domains, weighted by how many domains there are. */
export function spreadBurden({ node }: NodeView, soft: readonly SpreadCounts[]): number {
  let burden = 0;
  for (const { constraint, counts } of soft) {
    const value = node.metadata.labels?.[constraint.topologyKey];
    if (value === undefined) continue;
    burden += (counts.get(value) ?? 0) * Math.log(counts.size + 2) + (constraint.maxSkew - 1);
  }
  return Math.round(burden);
}

function countOn(pod: Pod, { pods }: NodeView, selector: LabelSelector): number {
  let count = 0;
  for (const { pod: other } of pods.values()) {
    const isOfGroup =
      other.metadata.namespace === pod.metadata.namespace && matchesSelector(selector, other.metadata.labels);
    if (isOfGroup && !isDeleting(other)) count++;
  }
  return count;
}

function takesPart(
  pod: Pod,
  { node }: NodeView,
  all: readonly Spread[],
  { constraint, isDefault }: Spread,
): boolean {
  const hasKeys = all.every((other) => node.metadata.labels?.[other.constraint.topologyKey] !== undefined);
  if (!isDefault && !hasKeys) return false;
  if (constraint.nodeAffinityPolicy !== "Ignore" && !matchesNode(pod.spec, node)) return false;
  if (constraint.nodeTaintsPolicy !== "Honor") return true;
  return untolerated(node.spec?.taints, pod.spec?.tolerations, HARD_EFFECTS).length === 0;
}

function withKeys(
  { labelSelector = {}, matchLabelKeys = [] }: TopologySpreadConstraint,
  pod: Pod,
): LabelSelector {
  const same = matchLabelKeys.flatMap((key) => {
    const value = pod.metadata.labels?.[key];
    return value === undefined ? [] : [{ key, operator: "In", values: [value] }];
  });
  return { ...labelSelector, matchExpressions: [...(labelSelector.matchExpressions ?? []), ...same] };
}
