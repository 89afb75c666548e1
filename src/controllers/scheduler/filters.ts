import type { Pod } from "#kube/generated/types";
import { matchesNode } from "../node-affinity.ts";
import { HARD_EFFECTS, untolerated } from "../tolerations.ts";
import { affinityRefusal, type PodAffinityFacts } from "./affinity.ts";
import type { NodeView } from "./cluster-view.ts";
import { type Amounts, type HostPort, portsConflict } from "./requests.ts";
import { type SpreadCounts, spreadRefusal } from "./spread.ts";

/** One pod to place, with what is worked out once for all nodes. */
export interface Candidate {
  readonly pod: Pod;
  readonly requests: Amounts;
  readonly ports: readonly HostPort[];
  readonly hardSpreads: readonly SpreadCounts[];
  readonly affinity: PodAffinityFacts;
}

export type Plugin =
  | "NodeUnschedulable"
  | "NodeName"
  | "TaintToleration"
  | "NodeAffinity"
  | "NodePorts"
  | "NodeResourcesFit"
  | "PodTopologySpread"
  | "InterPodAffinity";

/** Why a node is out, in the words kube-scheduler uses. */
export interface Refusal {
  readonly plugin: Plugin;
  readonly reasons: readonly string[];
  /** No pod's leaving would help. */
  readonly isFinal: boolean;
}

type Filter = (candidate: Candidate, view: NodeView) => readonly string[];

const UNSCHEDULABLE = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

/** In kube-scheduler's order: the first that refuses gives the reason. */
const FILTERS: readonly (readonly [Plugin, Filter])[] = [
  ["NodeUnschedulable", refuseUnschedulable],
  ["NodeName", refuseOtherNames],
  ["TaintToleration", refuseTainted],
  ["NodeAffinity", refuseUnmatched],
  ["NodePorts", refuseTakenPorts],
  ["NodeResourcesFit", refuseFull],
  ["PodTopologySpread", ({ pod, hardSpreads }, view) => listed(spreadRefusal(pod, view, hardSpreads))],
  ["InterPodAffinity", ({ pod, affinity }, view) => listed(affinityRefusal(pod, view, affinity))],
];

/** Why the pod cannot run on the node; undefined when it can. */
export function refusalOf(candidate: Candidate, view: NodeView): Refusal | undefined {
  for (const [plugin, filter] of FILTERS) {
    const reasons = filter(candidate, view);
    if (reasons.length > 0) return { plugin, reasons, isFinal: isFinal(plugin, reasons, candidate, view) };
  }
  return undefined;
}

function isFinal(
  plugin: Plugin,
  reasons: readonly string[],
  { requests }: Candidate,
  { allocatable }: NodeView,
): boolean {
  switch (plugin) {
    case "NodePorts":
      return false;
    case "NodeResourcesFit":
      return [...requests].some(([name, amount]) => amount > (allocatable.get(name) ?? 0));
    case "PodTopologySpread":
      return reasons.some((reason) => reason.endsWith("(missing required label)"));
    case "InterPodAffinity":
      return reasons.includes("node(s) didn't match pod affinity rules");
    default:
      return true;
  }
}

function refuseUnschedulable({ pod }: Candidate, { node }: NodeView): readonly string[] {
  if (!node.spec?.unschedulable) return [];
  const isTolerated = untolerated([UNSCHEDULABLE], pod.spec?.tolerations, HARD_EFFECTS).length === 0;
  return isTolerated ? [] : ["node(s) were unschedulable"];
}

function refuseOtherNames({ pod }: Candidate, { name }: NodeView): readonly string[] {
  const wanted = pod.spec?.nodeName;
  return !wanted || wanted === name ? [] : ["node(s) didn't match the requested node name"];
}

function refuseTainted({ pod }: Candidate, { node }: NodeView): readonly string[] {
  const left = untolerated(node.spec?.taints, pod.spec?.tolerations, HARD_EFFECTS);
  return left.length === 0 ? [] : ["node(s) had untolerated taint(s)"];
}

function refuseUnmatched({ pod }: Candidate, { node }: NodeView): readonly string[] {
  return matchesNode(pod.spec, node) ? [] : ["node(s) didn't match Pod's node affinity/selector"];
}

function refuseTakenPorts({ ports }: Candidate, view: NodeView): readonly string[] {
  if (ports.length === 0) return [];
  for (const placed of view.pods.values()) {
    const isTaken = placed.ports.some((taken) => ports.some((port) => portsConflict(taken, port)));
    if (isTaken) return ["node(s) didn't have free ports for the requested pod ports"];
  }
  return [];
}

function refuseFull({ requests }: Candidate, view: NodeView): readonly string[] {
  const reasons: string[] = [];
  const places = view.allocatable.get("pods") ?? Number.POSITIVE_INFINITY;
  if ((view.pods.size + 1) * 1000 > places) reasons.push("Too many pods");
  for (const [name, amount] of requests) {
    if (amount === 0) continue;
    const free = (view.allocatable.get(name) ?? 0) - (view.used.get(name) ?? 0);
    if (amount > free) reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}

function listed(reason: string | undefined): readonly string[] {
  return reason === undefined ? [] : [reason];
}
