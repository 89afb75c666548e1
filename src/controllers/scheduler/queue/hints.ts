import { isDeepStrictEqual } from "node:util";
import type { Node } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { matchesNode } from "#kube/node-affinity";
import { milliOf } from "#kube/quantity";
import { HARD_EFFECTS, untolerated } from "#kube/tolerations";
import { disksClash } from "../disks.ts";
import type { Plugin } from "../filters/candidate.ts";
import type { PodInfo } from "../pod-info.ts";
import { portsConflict } from "../requests.ts";
import { ownSpreads } from "../spread.ts";
import { type NamespaceLabels, termMatches } from "../terms.ts";
import type { ClusterEvent } from "./events.ts";

/** Whether the event may make the filter let the waiting pod pass where it refused before. Never false when it does; true at times when it
 *  does not, which costs one attempt. */
type Hint = (waiting: PodInfo, event: ClusterEvent, namespaceLabels: NamespaceLabels) => boolean;

const HINTS: Readonly<Record<Plugin, Hint>> = {
  NodeUnschedulable: (_, event) => {
    if (event.type === "node-changed")
      return Boolean(event.before.spec?.unschedulable) && !event.node.spec?.unschedulable;
    return event.type === "node-added";
  },
  NodeName: ({ pod }, event) =>
    event.type === "node-added" && event.node.metadata.name === pod.spec?.nodeName,
  TaintToleration: (waiting, event) => {
    if (event.type === "node-changed")
      return !isTolerated(waiting, event.before) && isTolerated(waiting, event.node);
    return event.type === "node-added" && isTolerated(waiting, event.node);
  },
  NodeAffinity: ({ pod }, event) => {
    if (event.type === "node-changed")
      return !matchesNode(pod.spec, event.before) && matchesNode(pod.spec, event.node);
    return event.type === "node-added" && matchesNode(pod.spec, event.node);
  },
  NodePorts: ({ ports }, event) => {
    if (event.type === "pod-gone")
      return event.info.ports.some((freed) => ports.some((port) => portsConflict(freed, port)));
    return event.type === "node-added";
  },
  NodeResourcesFit: fitMayHelp,
  VolumeRestrictions: ({ claims, disks }, event) => {
    if (event.type === "pod-gone")
      return disksClash(event.info.disks, disks) || event.info.claims.some((claim) => claims.includes(claim));
    return event.type === "node-added" || isOwnClaim(claims, event);
  },
  NodeVolumeLimits: ({ claims }, event) => {
    if (event.type === "pod-gone") return event.info.claims.length > 0;
    return event.type === "node-added" || event.type === "csi-node" || isOwnClaim(claims, event);
  },
  VolumeBinding: ({ claims }, event) => {
    if (event.type === "node-changed") return isRelabeled(event);
    if (event.type === "claim") return isOwnClaim(claims, event);
    return ["node-added", "volume", "storage-class", "csi-node"].includes(event.type);
  },
  VolumeZone: ({ claims }, event) => {
    if (event.type === "node-changed") return isRelabeled(event);
    if (event.type === "claim") return isOwnClaim(claims, event);
    return ["node-added", "volume", "storage-class"].includes(event.type);
  },
  PodTopologySpread: spreadMayHelp,
  InterPodAffinity: affinityMayHelp,
};

/** Whether any of the filters that refused the pod may let it pass now. A pod no filter refused waits for anything at all. */
export function mayHelp(
  waiting: PodInfo,
  plugins: ReadonlySet<Plugin>,
  event: ClusterEvent,
  namespaceLabels: NamespaceLabels,
): boolean {
  if (plugins.size === 0) return true;
  for (const plugin of plugins) if (HINTS[plugin](waiting, event, namespaceLabels)) return true;
  return false;
}

function fitMayHelp({ uid, requests }: PodInfo, event: ClusterEvent): boolean {
  switch (event.type) {
    case "node-added":
      return hasAll(requests, event.node);
    case "node-changed":
      return (
        !isDeepStrictEqual(event.before.status?.allocatable, event.node.status?.allocatable) &&
        hasAll(requests, event.node)
      );
    case "pod-gone":
      return true;
    case "pod-changed":
      return event.info.uid === uid || asksLess(event.before.requests, event.info.requests);
    default:
      return false;
  }
}

function spreadMayHelp({ namespace, pod }: PodInfo, event: ClusterEvent): boolean {
  const spreads = ownSpreads(pod, "DoNotSchedule");
  const isCounted = (other: PodInfo) =>
    other.namespace === namespace && spreads.some(({ selector }) => matchesSelector(selector, other.labels));
  switch (event.type) {
    case "node-added":
      return spreads.every(
        ({ constraint }) => event.node.metadata.labels?.[constraint.topologyKey] !== undefined,
      );
    case "node-changed":
      return isRelabeled(event) || !isDeepStrictEqual(event.before.spec?.taints, event.node.spec?.taints);
    case "pod-placed":
    case "pod-gone":
      return isCounted(event.info);
    case "pod-changed":
      return isCounted(event.before) || isCounted(event.info);
    default:
      return false;
  }
}

function affinityMayHelp(waiting: PodInfo, event: ClusterEvent, namespaceLabels: NamespaceLabels): boolean {
  const { affinity, antiAffinity } = waiting.terms;
  const isWanted = (other: PodInfo) => affinity.every((term) => termMatches(term, other, namespaceLabels));
  const isInTheWay = (other: PodInfo) =>
    antiAffinity.some((term) => termMatches(term, other, namespaceLabels)) ||
    other.terms.antiAffinity.some((term) => termMatches(term, waiting, namespaceLabels));
  switch (event.type) {
    case "node-added":
    case "namespace":
      return true;
    case "node-changed":
      return isRelabeled(event);
    case "pod-placed":
      return affinity.length > 0 && isWanted(event.info);
    case "pod-gone":
      return isInTheWay(event.info) || (affinity.length > 0 && isWanted(event.info));
    case "pod-changed":
      return isInTheWay(event.before) || (affinity.length > 0 && isWanted(event.info));
    default:
      return false;
  }
}

function isTolerated({ pod }: PodInfo, { spec }: Node): boolean {
  return untolerated(spec?.taints, pod.spec?.tolerations, HARD_EFFECTS).length === 0;
}

function hasAll(requests: PodInfo["requests"], { status }: Node): boolean {
  const amounts = status?.allocatable ?? status?.capacity ?? {};
  return [...requests].every(([name, amount]) => amount <= milliOf(amounts[name]));
}

function asksLess(before: PodInfo["requests"], after: PodInfo["requests"]): boolean {
  return [...before].some(([name, amount]) => amount > (after.get(name) ?? 0));
}

function isOwnClaim(claims: readonly string[], event: ClusterEvent): boolean {
  if (event.type !== "claim") return false;
  const { namespace = "", name } = event.claim.metadata;
  return claims.includes(`${namespace}/${name}`);
}

function isRelabeled({ before, node }: { readonly before: Node; readonly node: Node }): boolean {
  return !isDeepStrictEqual(before.metadata.labels, node.metadata.labels);
}
