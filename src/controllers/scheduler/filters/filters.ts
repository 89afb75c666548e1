import { matchesNode } from "#kube/node-affinity";
import { HARD_EFFECTS, untolerated } from "#kube/tolerations";
import { disksClash } from "../disks.ts";
import type { NodeView } from "../node-view.ts";
import type { Candidate, Plugin, Refusal } from "./candidate.ts";

type Filter = (candidate: Candidate, view: NodeView) => Refusal | undefined;

const UNSCHEDULABLE = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
const SINGLE_USE =
  "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod";

/** In kube-scheduler's order: the first that refuses gives the reason. */
const FILTERS: readonly Filter[] = [
  refuseUnschedulable,
  refuseOtherNames,
  refuseTainted,
  refuseUnmatched,
  refuseTakenPorts,
  refuseFull,
  refuseHeldVolumes,
  ({ claims, around }, view) => claims && around.volumes.refuseOverLimit(claims, view),
  ({ claims, around }, view) => claims && around.volumes.refuseUnbound(claims, view),
  ({ claims, around }, view) => claims && around.volumes.refuseOtherZone(claims, view),
  refuseUneven,
  refuseUnsociable,
];

/** Why the pod cannot run on the node; undefined when it can. */
export function refusalOf(candidate: Candidate, view: NodeView): Refusal | undefined {
  for (const filter of FILTERS) {
    const refused = filter(candidate, view);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

/** A node that the pod's affinity leaves out by name: other filters are not even asked. */
export const NOT_NAMED: Refusal = {
  plugin: "NodeAffinity",
  reasons: ["node(s) didn't satisfy plugin(s) [NodeAffinity]"],
  isFinal: true,
};

function refusal(plugin: Plugin, reason: string, isFinal = true): Refusal {
  return { plugin, reasons: [reason], isFinal };
}

function refuseUnschedulable({ info }: Candidate, { node }: NodeView): Refusal | undefined {
  if (!node.spec?.unschedulable) return undefined;
  const left = untolerated([UNSCHEDULABLE], info.pod.spec?.tolerations, HARD_EFFECTS);
  return left.length === 0 ? undefined : refusal("NodeUnschedulable", "node(s) were unschedulable");
}

function refuseOtherNames({ info }: Candidate, { name }: NodeView): Refusal | undefined {
  const wanted = info.pod.spec?.nodeName;
  if (!wanted || wanted === name) return undefined;
  return refusal("NodeName", "node(s) didn't match the requested node name");
}

function refuseTainted({ info }: Candidate, { hardTaints }: NodeView): Refusal | undefined {
  if (hardTaints.length === 0) return undefined;
  const left = untolerated(hardTaints, info.pod.spec?.tolerations, HARD_EFFECTS);
  return left.length === 0 ? undefined : refusal("TaintToleration", "node(s) had untolerated taint(s)");
}

function refuseUnmatched({ info }: Candidate, { node }: NodeView): Refusal | undefined {
  const { spec } = info.pod;
  if (spec?.nodeSelector === undefined && spec?.affinity === undefined) return undefined;
  if (matchesNode(spec, node)) return undefined;
  return refusal("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
}

function refuseTakenPorts({ info }: Candidate, view: NodeView): Refusal | undefined {
  if (!info.ports.some((port) => view.isPortTaken(port))) return undefined;
  return refusal("NodePorts", "node(s) didn't have free ports for the requested pod ports", false);
}

function refuseFull({ info }: Candidate, view: NodeView): Refusal | undefined {
  const places = view.allocatable.get("pods") ?? 0;
  const isFull = (view.pods.size + 1) * 1000 > places;
  let reasons: string[] | undefined = isFull ? ["Too many pods"] : undefined;
  let isFinal = false;
  for (const [name, amount] of info.requests) {
    const all = view.allocatable.get(name) ?? 0;
    if (amount === 0 || amount <= all - (view.used.get(name) ?? 0)) continue;
    reasons ??= [];
    reasons.push(`Insufficient ${name}`);
    isFinal ||= amount > all;
  }
  return reasons && { plugin: "NodeResourcesFit", reasons, isFinal };
}

function refuseHeldVolumes({ info, claims }: Candidate, view: NodeView): Refusal | undefined {
  const isTaken =
    info.disks.length > 0 && view.pods.values().some(({ disks }) => disksClash(info.disks, disks));
  if (isTaken) return refusal("VolumeRestrictions", "node(s) had no available disk", false);
  return claims?.isInUse ? refusal("VolumeRestrictions", SINGLE_USE, false) : undefined;
}

function refuseUneven({ spreads }: Candidate, view: NodeView): Refusal | undefined {
  const reason = spreads?.refusal(view);
  return reason === undefined
    ? undefined
    : refusal("PodTopologySpread", reason, reason.endsWith("(missing required label)"));
}

function refuseUnsociable({ affinity }: Candidate, view: NodeView): Refusal | undefined {
  const reason = affinity.refusal(view);
  return reason === undefined
    ? undefined
    : refusal("InterPodAffinity", reason, reason === "node(s) didn't match pod affinity rules");
}
