import type { LabelSelector, Pod } from "#kube/generated/types";
import { type NamespaceLabels, podAffinityFacts } from "./affinity.ts";
import type { ClusterView, NodeView } from "./cluster-view.ts";
import { type Plugin, type Refusal, refusalOf } from "./filters.ts";
import { hostPortsOf, requestsOf } from "./requests.ts";
import { totalScores } from "./scores.ts";
import { countSpreads, spreadsOf } from "./spread.ts";

export type Decision =
  | { readonly kind: "node"; readonly nodeName: string }
  | { readonly kind: "none"; readonly message: string; readonly plugins: ReadonlySet<Plugin> };

export interface DecideOptions {
  /** What tells the pod's own kind: the selector of its Services and its owner. */
  readonly group: LabelSelector | undefined;
  readonly namespaceLabels: NamespaceLabels;
  /** Breaks ties; 0 to 1. */
  readonly random: () => number;
}

const MAX_NOTE = 1024;
const ALWAYS_ALL = 100;
const NOT_HELPFUL = "Preemption is not helpful for scheduling";
const NO_VICTIMS = "No preemption victims found for incoming pod";

/** Chooses the node for a pod, or says why there is none. */
export function decide(pod: Pod, cluster: ClusterView, options: DecideOptions): Decision {
  const nodes = cluster.nodes;
  if (nodes.length === 0)
    return { kind: "none", message: "no nodes available to schedule pods", plugins: new Set() };
  const spreads = spreadsOf(pod, options.group);
  const candidate = {
    pod,
    requests: requestsOf(pod),
    ports: hostPortsOf(pod),
    hardSpreads: countSpreads(pod, spreads, "DoNotSchedule", nodes),
    affinity: podAffinityFacts(pod, nodes, options.namespaceLabels),
  };
  const feasible: NodeView[] = [];
  const refusals: Refusal[] = [];
  const enough = feasibleEnough(nodes.length);
  const start = Math.floor(options.random() * nodes.length);
  for (let i = 0; i < nodes.length && feasible.length < enough; i++) {
    const view = nodes[(start + i) % nodes.length];
    if (view === undefined) continue;
    const refusal = refusalOf(candidate, view);
    if (refusal) refusals.push(refusal);
    else feasible.push(view);
  }
  if (feasible.length === 0) return explainNone(refusals);
  const [only] = feasible;
  if (only && feasible.length === 1) return { kind: "node", nodeName: only.name };
  const softSpreads = countSpreads(pod, spreads, "ScheduleAnyway", nodes);
  const scores = totalScores({ pod, softSpreads, namespaceLabels: options.namespaceLabels }, feasible);
  return { kind: "node", nodeName: pickBest(feasible, scores, options.random) };
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: 0/3 nodes are available: ...`. */
export function formatRefusals(refusals: readonly Refusal[]): string {
  const why = countReasons(refusals.flatMap(({ reasons }) => reasons));
  const help = countReasons(refusals.map(({ isFinal }) => (isFinal ? NOT_HELPFUL : NO_VICTIMS)));
  const none = `0/${refusals.length} nodes are available:`;
  return `${none} ${why}. preemption: ${none} ${help}.`;
}

/** Counted, and sorted as text: that is how kube-scheduler prints them. */
function countReasons(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(", ");
}

function explainNone(refusals: readonly Refusal[]): Decision {
  const message = formatRefusals(refusals);
  const cut = message.length > MAX_NOTE ? `${message.slice(0, MAX_NOTE - 4)} ...` : message;
  return { kind: "none", message: cut, plugins: new Set(refusals.map(({ plugin }) => plugin)) };
}

/** In a large cluster a good node is good enough. @see kube-scheduler numFeasibleNodesToFind */
function feasibleEnough(nodes: number): number {
  if (nodes < ALWAYS_ALL) return nodes;
  const percent = Math.max(5, 50 - Math.floor(nodes / 125));
  return Math.max(ALWAYS_ALL, Math.floor((nodes * percent) / 100));
}

function pickBest(nodes: readonly NodeView[], scores: readonly number[], random: () => number): string {
  const best = Math.max(...scores);
  const tied = nodes.filter((_, i) => scores[i] === best);
  const chosen = tied[Math.floor(random() * tied.length)] ?? tied[0];
  if (chosen === undefined) throw new Error("broken invariant: no best node among feasible ones");
  return chosen.name;
}
