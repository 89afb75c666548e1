import type { Surroundings } from "./filters/candidate.ts";
import type { NodeView } from "./node-view.ts";
import type { PodInfo } from "./pod-info.ts";
import { countedGroups, defaultSpreads, ownSpreads, type Spread, sumPerNode, takesPart } from "./spread.ts";

const HOSTNAME = "kubernetes.io/hostname";

/** One soft constraint: how many pods each node's domain has, and how much they weigh. */
interface Burden {
  readonly spread: Spread;
  readonly of: (view: NodeView, domain: string) => number;
  readonly weight: number;
}

/** More for nodes in whose domains fewer pods of the same group are. */
export function scoreSpread(
  info: PodInfo,
  nodes: readonly NodeView[],
  around: Surroundings,
): readonly number[] | undefined {
  const hasOwn = (info.pod.spec?.topologySpreadConstraints?.length ?? 0) > 0;
  const spreads = hasOwn ? ownSpreads(info.pod, "ScheduleAnyway") : defaultSpreads(around.group(info));
  if (spreads.length === 0) return undefined;
  // With constraints of its own, a pod is compared only over nodes that have all the labels.
  const isRated = ({ labels }: NodeView) =>
    !hasOwn || spreads.every(({ constraint }) => labels[constraint.topologyKey] !== undefined);
  const rated = nodes.filter(isRated);
  const burdens = spreads.map((spread) => burdenOf(spread, info, { rated, isRated, around }));
  const sums = nodes.map((view) => (isRated(view) ? sumOf(view, burdens) : undefined));
  const known = sums.filter((sum) => sum !== undefined);
  const most = Math.max(0, ...known);
  const least = Math.min(...known);
  return sums.map((sum) => {
    if (sum === undefined) return 0;
    return most === 0 ? 100 : Math.floor((100 * (most + least - sum)) / most);
  });
}

function sumOf(view: NodeView, burdens: readonly Burden[]): number {
  let sum = 0;
  for (const { spread, of, weight } of burdens) {
    const domain = view.labels[spread.constraint.topologyKey];
    if (domain !== undefined) sum += of(view, domain) * weight + (spread.constraint.maxSkew - 1);
  }
  return Math.round(sum);
}

function burdenOf(
  spread: Spread,
  info: PodInfo,
  {
    rated,
    isRated,
    around,
  }: {
    readonly rated: readonly NodeView[];
    readonly isRated: (view: NodeView) => boolean;
    readonly around: Surroundings;
  },
): Burden {
  const { cluster } = around;
  const key = spread.constraint.topologyKey;
  const groups = countedGroups(info, spread.selector, cluster);
  const perNode = sumPerNode(groups);
  if (key === HOSTNAME) {
    const weight = Math.log(rated.length + 2);
    return { spread, weight, of: ({ name }) => perNode.get(name) ?? 0 };
  }
  const counts = new Map<string, number>();
  for (const { labels } of rated) {
    const domain = labels[key];
    if (domain !== undefined) counts.set(domain, 0);
  }
  for (const [name, count] of perNode) {
    const view = cluster.node(name);
    const domain = view?.labels[key];
    const before = domain === undefined ? undefined : counts.get(domain);
    if (
      view &&
      domain !== undefined &&
      before !== undefined &&
      isRated(view) &&
      takesPart(info.pod, view, spread)
    )
      counts.set(domain, before + count);
  }
  return { spread, weight: Math.log(counts.size + 2), of: (_, domain) => counts.get(domain) ?? 0 };
}
