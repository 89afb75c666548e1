import {
  type Candidate,
  type Plugin,
  prepare,
  type Refusal,
  type Surroundings,
  shift,
} from "./filters/candidate.ts";
import { NOT_NAMED, refusalOf } from "./filters/filters.ts";
import type { NodeView } from "./node-view.ts";
import type { Nominations } from "./nominations.ts";
import type { PodInfo } from "./pod-info.ts";
import { formatRefusals } from "./refusals.ts";
import { totalScores } from "./scores.ts";

export interface DecideOptions extends Surroundings {
  readonly nominations: Nominations;
  /** Where the search begins; moves on so that all nodes get their turn. */
  readonly start: number;
}

export type Decision =
  | {
      readonly kind: "node";
      readonly view: NodeView;
      readonly candidate: Candidate;
      /** How many nodes were looked at. */
      readonly seen: number;
    }
  | NoNode;

export interface NoNode {
  readonly kind: "none";
  /** Without what preemption could do. */
  readonly message: string;
  readonly plugins: ReadonlySet<Plugin>;
  /** Undefined when no node was looked at. */
  readonly candidate: Candidate | undefined;
  readonly refusals: ReadonlyMap<NodeView, Refusal>;
}

const ALWAYS_ALL = 100;

/** Chooses the node for a pod, or says why there is none. */
export function decide(info: PodInfo, options: DecideOptions): Decision {
  const { cluster, nominations } = options;
  if (cluster.size === 0) return noNode("no nodes available to schedule pods", []);
  const candidate = prepare(info, options);
  if ("plugin" in candidate) {
    const message = `0/${cluster.size} nodes are available: ${candidate.reasons.join(", ")}.`;
    return noNode(message, [candidate.plugin]);
  }
  const nominated = cluster.node(info.pod.status?.nominatedNodeName ?? "");
  if (nominated && refusalWithNominated(candidate, nominated, nominations) === undefined)
    return { kind: "node", view: nominated, candidate, seen: 1 };
  const { feasible, refusals, seen } = search(candidate, options);
  const [only] = feasible;
  if (only === undefined) {
    const plugins = [...refusals.values()].map(({ plugin }) => plugin);
    return { ...noNode(formatRefusals([...refusals.values()]), plugins), candidate, refusals };
  }
  const view = feasible.length === 1 ? only : best(info, feasible, options);
  return { kind: "node", view, candidate, seen };
}

/** Why the pod may not go to the node, both with the pods that are nominated to it and outrank this one, and without. */
export function refusalWithNominated(
  candidate: Candidate,
  view: NodeView,
  nominations: Nominations,
): Refusal | undefined {
  if (candidate.names && !candidate.names.has(view.name)) return NOT_NAMED;
  const guests = nominations.outranking(candidate.info, view.name);
  if (guests.length === 0) return refusalOf(candidate, view);
  const full = view.copy();
  for (const guest of guests) {
    full.put(guest);
    shift(candidate, guest, view, 1);
  }
  const refused = refusalOf(candidate, full);
  for (const guest of guests) shift(candidate, guest, view, -1);
  return refused ?? refusalOf(candidate, view);
}

function search(candidate: Candidate, { cluster, nominations, start }: DecideOptions) {
  const { nodes } = cluster;
  const enough = feasibleEnough(nodes.length);
  const feasible: NodeView[] = [];
  const refusals = new Map<NodeView, Refusal>();
  let seen = 0;
  for (; seen < nodes.length && feasible.length < enough; seen++) {
    const view = nodes[(start + seen) % nodes.length];
    if (view === undefined) continue;
    const refusal = refusalWithNominated(candidate, view, nominations);
    if (refusal) refusals.set(view, refusal);
    else feasible.push(view);
  }
  return { feasible, refusals, seen };
}

function noNode(message: string, plugins: readonly Plugin[]): NoNode {
  return { kind: "none", message, plugins: new Set(plugins), candidate: undefined, refusals: new Map() };
}

/** In a large cluster a good node is good enough. @see kube-scheduler numFeasibleNodesToFind */
export function feasibleEnough(nodes: number): number {
  if (nodes < ALWAYS_ALL) return nodes;
  const percent = Math.max(5, 50 - Math.floor(nodes / 125));
  return Math.max(ALWAYS_ALL, Math.floor((nodes * percent) / 100));
}

function best(info: PodInfo, nodes: readonly NodeView[], options: DecideOptions): NodeView {
  const scores = totalScores(info, nodes, options);
  const most = scores.reduce((high, score) => Math.max(high, score), Number.NEGATIVE_INFINITY);
  const tied = nodes.filter((_, i) => scores[i] === most);
  const chosen = tied[Math.floor(options.random() * tied.length)] ?? tied[0];
  if (chosen === undefined) throw new Error("broken invariant: no best node among feasible ones");
  return chosen;
}
