import { matchesNodeTerm } from "#kube/node-affinity";
import { untolerated } from "#kube/tolerations";
import type { Surroundings } from "./filters/candidate.ts";
import type { NodeView } from "./node-view.ts";
import type { PodInfo } from "./pod-info.ts";
import { imagesOf } from "./requests.ts";
import { scoreSociability } from "./score-affinity.ts";
import { scoreSpread } from "./score-spread.ts";

/** Scores 0 to 100 for each node, by position; undefined when all nodes are alike in this. */
export type Scorer = (
  info: PodInfo,
  nodes: readonly NodeView[],
  around: Surroundings,
) => readonly number[] | undefined;

const MIB = 2 ** 20;
const FIRST_IMAGE_BYTES = 23 * MIB;
const MOST_IMAGE_BYTES = 1000 * MIB;

/** With kube-scheduler's weights. */
const SCORERS: readonly (readonly [weight: number, Scorer])[] = [
  [3, scoreTaints],
  [2, scoreNodeAffinity],
  [2, scoreSpread],
  [2, scoreSociability],
  [1, scoreLeastAllocated],
  [1, scoreBalance],
  [1, scoreImages],
];

/** The weighted sum of all scores for each node, by position. */
export function totalScores(
  info: PodInfo,
  nodes: readonly NodeView[],
  around: Surroundings,
): readonly number[] {
  const totals = new Array<number>(nodes.length).fill(0);
  for (const [weight, scorer] of SCORERS) {
    const scores = scorer(info, nodes, around);
    if (scores === undefined) continue;
    for (let i = 0; i < totals.length; i++) totals[i] = (totals[i] ?? 0) + weight * (scores[i] ?? 0);
  }
  return totals;
}

export function scoreTaints({ pod }: PodInfo, nodes: readonly NodeView[]): readonly number[] | undefined {
  if (nodes.every(({ softTaints }) => softTaints.length === 0)) return undefined;
  const counts = nodes.map(
    ({ softTaints }) => untolerated(softTaints, pod.spec?.tolerations, ["PreferNoSchedule"]).length,
  );
  const most = Math.max(...counts);
  return most === 0 ? undefined : counts.map((count) => 100 - Math.floor((100 * count) / most));
}

export function scoreNodeAffinity(
  { pod }: PodInfo,
  nodes: readonly NodeView[],
): readonly number[] | undefined {
  const terms = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  if (terms.length === 0) return undefined;
  const sums = nodes.map(({ node }) =>
    terms.reduce((sum, { weight, preference }) => sum + (matchesNodeTerm(preference, node) ? weight : 0), 0),
  );
  const most = Math.max(...sums);
  return most === 0 ? undefined : sums.map((sum) => Math.floor((100 * sum) / most));
}

/** More for nodes with more left, counting the pod. */
export function scoreLeastAllocated({ scored }: PodInfo, nodes: readonly NodeView[]): readonly number[] {
  return nodes.map(({ allocatable, scored: used }) => {
    const cpu = shareLeft(allocatable.get("cpu"), used.cpu + scored.cpu);
    const memory = shareLeft(allocatable.get("memory"), used.memory + scored.memory);
    const known = [cpu, memory].filter((share) => share !== undefined);
    return known.length === 0 ? 0 : Math.floor(known.reduce((sum, share) => sum + share, 0) / known.length);
  });
}

/** More for nodes whose processor and memory the pod brings closer to being used up together. */
export function scoreBalance(
  { requests }: PodInfo,
  nodes: readonly NodeView[],
): readonly number[] | undefined {
  const cpu = requests.get("cpu") ?? 0;
  const memory = requests.get("memory") ?? 0;
  if (cpu + memory === 0) return undefined;
  return nodes.map(({ allocatable, used }) => {
    const all = { cpu: allocatable.get("cpu") ?? 0, memory: allocatable.get("memory") ?? 0 };
    const now = { cpu: used.get("cpu") ?? 0, memory: used.get("memory") ?? 0 };
    const before = balance(all, now);
    const after = balance(all, { cpu: now.cpu + cpu, memory: now.memory + memory });
    return 50 + Math.floor((50 + after - before) / 2);
  });
}

/** More for nodes that have much of the pod's images already; an image that few nodes have counts for less, or they would all go there. */
export function scoreImages(
  { pod }: PodInfo,
  nodes: readonly NodeView[],
  { cluster }: Surroundings,
): readonly number[] | undefined {
  const images = imagesOf(pod);
  const weights = images.map((image) => cluster.spreadOf(image) / cluster.size);
  if (weights.every((weight) => weight === 0)) return undefined;
  const most = MOST_IMAGE_BYTES * images.length;
  return nodes.map((view) => {
    const sum = images.reduce(
      (total, image, i) => total + Math.floor((view.images.get(image) ?? 0) * (weights[i] ?? 0)),
      0,
    );
    const kept = Math.min(Math.max(sum, FIRST_IMAGE_BYTES), most);
    return Math.floor((100 * (kept - FIRST_IMAGE_BYTES)) / (most - FIRST_IMAGE_BYTES));
  });
}

/** Percent; undefined when the node has none of it. */
function shareLeft(all: number | undefined, used: number): number | undefined {
  if (!all) return undefined;
  return used > all ? 0 : Math.floor(((all - used) * 100) / all);
}

interface Two {
  readonly cpu: number;
  readonly memory: number;
}

/** 100 when both are used to the same degree. */
function balance(all: Two, used: Two): number {
  if (all.cpu === 0 || all.memory === 0) return 100;
  const cpu = Math.min(1, used.cpu / all.cpu);
  const memory = Math.min(1, used.memory / all.memory);
  return Math.floor((1 - Math.abs(cpu - memory) / 2) * 100);
}
