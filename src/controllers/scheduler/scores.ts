import type { Pod } from "#kube/generated/types";
import { matchesNodeTerm } from "../node-affinity.ts";
import { untolerated } from "../tolerations.ts";
import { type NamespaceLabels, requiredAffinity, termMatches } from "./affinity.ts";
import type { NodeView } from "./cluster-view.ts";
import { scoredRequests } from "./requests.ts";
import { type SpreadCounts, spreadBurden } from "./spread.ts";

export interface Judged {
  readonly pod: Pod;
  readonly softSpreads: readonly SpreadCounts[];
  readonly namespaceLabels: NamespaceLabels;
}

/** Scores 0 to 100 for each node, by position. */
type Scorer = (judged: Judged, nodes: readonly NodeView[]) => readonly number[];

const SCORERS: readonly (readonly [weight: number, Scorer])[] = [
  [3, scoreTaints],
  [2, scoreNodeAffinity],
  [2, scoreSpread],
  [2, scorePodAffinity],
  [1, scoreLeastAllocated],
  [1, scoreBalance],
];

/** The weighted sum of all scores for each node, by position. */
export function totalScores(judged: Judged, nodes: readonly NodeView[]): readonly number[] {
  const totals = nodes.map(() => 0);
  for (const [weight, scorer] of SCORERS) {
    for (const [i, score] of scorer(judged, nodes).entries()) totals[i] = (totals[i] ?? 0) + weight * score;
  }
  return totals;
}

function scoreTaints({ pod }: Judged, nodes: readonly NodeView[]): readonly number[] {
  const counts = nodes.map(
    ({ node }) => untolerated(node.spec?.taints, pod.spec?.tolerations, ["PreferNoSchedule"]).length,
  );
  const most = Math.max(...counts);
  return counts.map((count) => (most === 0 ? 100 : Math.floor(100 - (100 * count) / most)));
}

function scoreNodeAffinity({ pod }: Judged, nodes: readonly NodeView[]): readonly number[] {
  const terms = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const sums = nodes.map(({ node }) =>
    terms.reduce((sum, { weight, preference }) => sum + (matchesNodeTerm(preference, node) ? weight : 0), 0),
  );
  const most = Math.max(...sums);
  return sums.map((sum) => (most === 0 ? 0 : Math.floor((100 * sum) / most)));
}

function scoreSpread({ softSpreads }: Judged, nodes: readonly NodeView[]): readonly number[] {
  if (softSpreads.length === 0) return nodes.map(() => 0);
  const burdens = nodes.map((view) => spreadBurden(view, softSpreads));
  const most = Math.max(...burdens);
  const least = Math.min(...burdens);
  return burdens.map((burden) => (most === 0 ? 100 : Math.floor((100 * (most + least - burden)) / most)));
}

/** Preferred terms of the pod, and terms of pods already running that speak of it; each pulls to or pushes from a topology. */
function scorePodAffinity({ pod, namespaceLabels }: Judged, nodes: readonly NodeView[]): readonly number[] {
  const pulls = new Map<string, number>();
  const pull = (view: NodeView, key: string, weight: number) => {
    const value = view.node.metadata.labels?.[key];
    if (value !== undefined) pulls.set(`${key}=${value}`, (pulls.get(`${key}=${value}`) ?? 0) + weight);
  };
  const mine = preferredTerms(pod);
  for (const view of nodes) {
    for (const { pod: other } of (mine.length > 0 ? view.pods : view.choosy).values()) {
      for (const { term, weight } of mine)
        if (termMatches(term, pod, other, namespaceLabels)) pull(view, term.topologyKey, weight);
      const theirs = [
        ...preferredTerms(other),
        ...requiredAffinity(other).map((term) => ({ term, weight: 1 })),
      ];
      for (const { term, weight } of theirs)
        if (termMatches(term, other, pod, namespaceLabels)) pull(view, term.topologyKey, weight);
    }
  }
  if (pulls.size === 0) return nodes.map(() => 0);
  return spreadOut(
    nodes.map(({ node }) =>
      Object.entries(node.metadata.labels ?? {}).reduce(
        (sum, [key, value]) => sum + (pulls.get(`${key}=${value}`) ?? 0),
        0,
      ),
    ),
  );
}

function scoreLeastAllocated({ pod }: Judged, nodes: readonly NodeView[]): readonly number[] {
  const asked = scoredRequests(pod);
  return nodes.map((view) => {
    const shares = (["cpu", "memory"] as const).map((name) => {
      const all = view.allocatable.get(name) ?? 0;
      const free = all - view.scored[name] - asked[name];
      return all === 0 || free < 0 ? 0 : Math.floor((free * 100) / all);
    });
    return Math.floor(shares.reduce((sum, share) => sum + share, 0) / shares.length);
  });
}

function scoreBalance({ pod }: Judged, nodes: readonly NodeView[]): readonly number[] {
  const asked = scoredRequests(pod);
  return nodes.map((view) => {
    const used = (["cpu", "memory"] as const).map((name) => {
      const all = view.allocatable.get(name) ?? 0;
      return all === 0 ? 0 : Math.min(1, (view.scored[name] + asked[name]) / all);
    });
    return Math.floor((1 - Math.abs((used[0] ?? 0) - (used[1] ?? 0)) / 2) * 100);
  });
}

function preferredTerms({ spec }: Pod) {
  const affinity = spec?.affinity;
  const to = affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const from = affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...to.map(({ podAffinityTerm, weight }) => ({ term: podAffinityTerm, weight })),
    ...from.map(({ podAffinityTerm, weight }) => ({ term: podAffinityTerm, weight: -weight })),
  ];
}

/** Stretches the values over 0 to 100. */
function spreadOut(values: readonly number[]): readonly number[] {
  const least = Math.min(...values);
  const most = Math.max(...values);
  return values.map((value) => (most === least ? 0 : Math.floor((100 * (value - least)) / (most - least))));
}
