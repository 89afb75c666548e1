import type { PolicyRule } from "#kube/generated/types";
import { type RuleLine, rulesOf } from "./rules.ts";

const NODE: readonly RuleLine[] = [
  ["authentication.k8s.io", "tokenreviews", "create"],
  ["authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews", "create"],
  ["core", "services", "read"],
  ["core", "nodes", "create read"],
  ["core", "nodes/status", "patch update"],
  ["core", "nodes", "patch update"],
  ["core events.k8s.io", "events", "create patch update"],
  ["core", "pods", "read"],
  ["core", "pods", "create delete"],
  ["core", "pods/status", "patch update"],
  ["core", "pods/eviction", "create"],
  ["core", "configmaps secrets", "read"],
  ["core", "persistentvolumeclaims persistentvolumes", "get"],
  ["core", "endpoints", "get"],
  ["certificates.k8s.io", "certificatesigningrequests", "create read"],
  ["coordination.k8s.io", "leases", "create delete get patch update"],
  ["storage.k8s.io", "volumeattachments", "get"],
  ["core", "serviceaccounts/token", "create"],
  ["core", "persistentvolumeclaims/status", "get patch update"],
  ["storage.k8s.io", "csidrivers", "read"],
  ["storage.k8s.io", "csinodes", "create delete get patch update"],
  ["node.k8s.io", "runtimeclasses", "read"],
  ["resource.k8s.io", "resourceclaims", "get"],
  ["resource.k8s.io", "resourceslices", "deletecollection"],
  ["core", "serviceaccounts", "get"],
];

/** The role of nodes, as far as it goes before the node authorizer narrows it to one node's own things. */
export function nodeRules(): readonly PolicyRule[] {
  return rulesOf(NODE);
}
