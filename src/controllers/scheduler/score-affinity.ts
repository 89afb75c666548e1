import type { Surroundings } from "./filters/candidate.ts";
import type { NodeView } from "./node-view.ts";
import type { PodInfo } from "./pod-info.ts";
import { type PodTerms, termMatches, type WeightedTerm } from "./terms.ts";

/** What another pod's required affinity weighs when it speaks of the new one. */
const HARD_WEIGHT = 1;

/** More for nodes near pods that the new one likes or that like it, less near those it (or they) would rather not have. */
export function scoreSociability(
  info: PodInfo,
  nodes: readonly NodeView[],
  { cluster, namespaceLabels }: Surroundings,
): readonly number[] | undefined {
  const pulls = new Map<string, Map<string, number>>();
  const pull = (key: string, perNode: ReadonlyMap<string, number>, weight: number) => {
    let values = pulls.get(key);
    if (values === undefined) {
      values = new Map();
      pulls.set(key, values);
    }
    for (const [name, count] of perNode) {
      const value = cluster.node(name)?.labels[key];
      if (value !== undefined) values.set(value, (values.get(value) ?? 0) + count * weight);
    }
  };
  for (const { term, weight } of info.terms.preferred) {
    const groups = cluster.index.ask(term.id, (group) => termMatches(term, group, namespaceLabels));
    for (const { perNode } of groups) pull(term.topologyKey, perNode, weight);
  }
  for (const { terms, perNode } of cluster.index.wishing) {
    for (const { term, weight } of wishesOf(terms))
      if (termMatches(term, info, namespaceLabels)) pull(term.topologyKey, perNode, weight);
  }
  if (pulls.size === 0) return undefined;
  return stretched(
    nodes.map(({ labels }) => {
      let sum = 0;
      for (const [key, values] of pulls) sum += values.get(labels[key] ?? "") ?? 0;
      return sum;
    }),
  );
}

function wishesOf({ affinity, preferred }: PodTerms): readonly WeightedTerm[] {
  return [...preferred, ...affinity.map((term) => ({ term, weight: HARD_WEIGHT }))];
}

/** Stretches the values over 0 to 100. */
function stretched(values: readonly number[]): readonly number[] | undefined {
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (most === least) return undefined;
  return values.map((value) => Math.floor((100 * (value - least)) / (most - least)));
}
