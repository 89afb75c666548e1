import type { PolicyRule } from "#kube/generated/types";

export const READ = ["get", "list", "watch"];
export const WRITE = ["create", "delete", "deletecollection", "patch", "update"];
export const ALL = [...WRITE, ...READ].sort();

/** A rule over resources of one API group ("" is core). */
export function on(group: string, resources: readonly string[], verbs: readonly string[]): PolicyRule {
  return { apiGroups: [group], resources, verbs };
}

/** A rule over paths outside the API's resources. */
export function onPaths(...nonResourceURLs: string[]): PolicyRule {
  return { nonResourceURLs, verbs: ["get"] };
}

/** What people who may look at a namespace's workloads see: no Secrets, no RBAC. */
const VIEWED: Readonly<Record<string, readonly string[]>> = {
  "": [
    "configmaps",
    "endpoints",
    "persistentvolumeclaims",
    "persistentvolumeclaims/status",
    "pods",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "serviceaccounts",
    "services",
    "services/status",
  ],
  apps: [
    "controllerrevisions",
    "daemonsets",
    "daemonsets/status",
    "deployments",
    "deployments/scale",
    "deployments/status",
    "replicasets",
    "replicasets/scale",
    "replicasets/status",
    "statefulsets",
    "statefulsets/scale",
    "statefulsets/status",
  ],
  autoscaling: ["horizontalpodautoscalers", "horizontalpodautoscalers/status"],
  batch: ["cronjobs", "cronjobs/status", "jobs", "jobs/status"],
  policy: ["poddisruptionbudgets", "poddisruptionbudgets/status"],
  "networking.k8s.io": ["ingresses", "ingresses/status", "networkpolicies"],
};

/** Of those, what an editor may not write. */
const NEVER_EDITED = ["endpoints"];

export function viewRules(): readonly PolicyRule[] {
  return [
    ...Object.entries(VIEWED).map(([group, resources]) => on(group, resources, READ)),
    on(
      "",
      ["bindings", "events", "limitranges", "namespaces", "pods/log", "pods/status", "resourcequotas"],
      READ,
    ),
    on("discovery.k8s.io", ["endpointslices"], READ),
  ];
}

export function editRules(): readonly PolicyRule[] {
  const edited = Object.entries(VIEWED).map(([group, resources]) => {
    const writable = resources.filter((one) => !one.endsWith("/status") && !NEVER_EDITED.includes(one));
    return on(group, writable, WRITE);
  });
  return [
    ...viewRules(),
    ...edited,
    on("", ["secrets"], ALL),
    on("", ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"], ALL),
    on("", ["pods/eviction", "serviceaccounts/token"], ["create"]),
    on("", ["serviceaccounts"], ["impersonate"]),
    on("", ["events"], ["create", "patch", "update"]),
    on("coordination.k8s.io", ["leases"], ALL),
  ];
}

export function adminRules(): readonly PolicyRule[] {
  return [
    ...editRules(),
    on("rbac.authorization.k8s.io", ["rolebindings", "roles"], ALL),
    on("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
  ];
}

/** What a node needs: its own objects and its pods', what pods mount, and what its network planes watch. The node restriction of admission narrows
 *  the writes to the node's own. */
export function nodeRules(): readonly PolicyRule[] {
  return [
    on("", ["nodes"], ["create", "get", "list", "watch", "update", "patch"]),
    on("", ["nodes/status", "pods/status"], ["patch", "update"]),
    on("", ["pods"], ["create", "delete", "get", "list", "watch"]),
    on("", ["pods/eviction", "serviceaccounts/token"], ["create"]),
    on("", ["configmaps", "endpoints", "secrets", "serviceaccounts", "services"], READ),
    on("", ["namespaces", "persistentvolumeclaims", "persistentvolumes"], READ),
    on("", ["events"], ["create", "patch", "update"]),
    on("events.k8s.io", ["events"], ["create", "patch", "update"]),
    on("discovery.k8s.io", ["endpointslices"], READ),
    on("networking.k8s.io", ["networkpolicies"], READ),
    on("coordination.k8s.io", ["leases"], ["create", "delete", "get", "patch", "update"]),
    on("certificates.k8s.io", ["certificatesigningrequests"], ["create", "get", "list", "watch"]),
    on("authentication.k8s.io", ["tokenreviews"], ["create"]),
    on("authorization.k8s.io", ["subjectaccessreviews", "localsubjectaccessreviews"], ["create"]),
  ];
}
