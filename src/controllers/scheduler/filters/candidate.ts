import type { LabelSelector } from "#kube/generated/types";
import type { ClusterView } from "../cluster-view.ts";
import type { NodeView } from "../node-view.ts";
import type { PodInfo } from "../pod-info.ts";
import { HardSpreads, hasSpreads } from "../spread.ts";
import type { NamespaceLabels } from "../terms.ts";
import type { ClaimsOfPod } from "../volumes/pod-claims.ts";
import type { VolumeView } from "../volumes/volume-view.ts";
import { requiredNames } from "./node-names.ts";
import { PodAffinity } from "./pod-affinity.ts";

export type Plugin =
  | "NodeUnschedulable"
  | "NodeName"
  | "TaintToleration"
  | "NodeAffinity"
  | "NodePorts"
  | "NodeResourcesFit"
  | "VolumeRestrictions"
  | "NodeVolumeLimits"
  | "VolumeBinding"
  | "VolumeZone"
  | "PodTopologySpread"
  | "InterPodAffinity";

/** Why a node is out, in the words kube-scheduler uses. */
export interface Refusal {
  readonly plugin: Plugin;
  readonly reasons: readonly string[];
  /** No pod's leaving would help. */
  readonly isFinal: boolean;
}

/** What a decision may look at beside the pod. */
export interface Surroundings {
  readonly cluster: ClusterView;
  readonly volumes: VolumeView;
  readonly namespaceLabels: NamespaceLabels;
  /** What tells the pod's own kind: the selector of its Services and its owner. */
  readonly group: (info: PodInfo) => LabelSelector | undefined;
  /** 0 to 1; breaks ties. */
  readonly random: () => number;
}

/** One pod to place, with what is worked out once for all nodes. */
export interface Candidate {
  readonly info: PodInfo;
  /** The only nodes its affinity names, if it names nodes. */
  readonly names: ReadonlySet<string> | undefined;
  readonly spreads: HardSpreads | undefined;
  readonly affinity: PodAffinity;
  readonly claims: ClaimsOfPod | undefined;
  readonly around: Surroundings;
}

/** All that filters need to know of the pod, or why there is no node for it whatever the nodes are. */
export function prepare(info: PodInfo, around: Surroundings): Candidate | Refusal {
  const names = requiredNames(info.pod);
  if (names?.size === 0)
    return { plugin: "NodeAffinity", reasons: ["pod affinity terms conflict"], isFinal: true };
  const claims = info.claims.length > 0 ? around.volumes.claimsOf(info) : undefined;
  if (claims !== undefined && "plugin" in claims) return claims;
  return {
    info,
    names,
    claims,
    spreads: hasSpreads(info.pod, "DoNotSchedule") ? new HardSpreads(info, around.cluster) : undefined,
    affinity: new PodAffinity(info, around),
    around,
  };
}

/** Counts a pod that comes to or goes from the node in thought only; the node's own view is the caller's to change. */
export function shift({ spreads, affinity, claims }: Candidate, other: PodInfo, view: NodeView, by: 1 | -1) {
  spreads?.shift(other, view, by);
  affinity.shift(other, view, by);
  claims?.shift(other, by);
}
