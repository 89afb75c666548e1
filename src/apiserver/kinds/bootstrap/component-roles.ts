import { EVENTS, type RuleLine } from "./rules.ts";

const LEASE_VERBS = "create get list update watch";

/** Cluster roles of a cluster's own parts, by name.
 *  @see kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata/cluster-roles.yaml */
export const COMPONENTS: Readonly<Record<string, readonly RuleLine[]>> = {
  "system:auth-delegator": [
    ["authentication.k8s.io", "tokenreviews", "create"],
    ["authorization.k8s.io", "subjectaccessreviews", "create"],
  ],
  "system:certificates.k8s.io:certificatesigningrequests:nodeclient": [
    ["certificates.k8s.io", "certificatesigningrequests/nodeclient", "create"],
  ],
  "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": [
    ["certificates.k8s.io", "certificatesigningrequests/selfnodeclient", "create"],
  ],
  "system:certificates.k8s.io:kube-apiserver-client-approver": approver("kube-apiserver-client"),
  "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver": approver(
    "kube-apiserver-client-kubelet",
  ),
  "system:certificates.k8s.io:kubelet-serving-approver": approver("kubelet-serving"),
  "system:certificates.k8s.io:legacy-unknown-approver": approver("legacy-unknown"),
  "system:heapster": [
    ["core", "events namespaces nodes pods", "read"],
    ["extensions", "deployments", "read"],
  ],
  "system:kube-aggregator": [["core", "endpoints services", "read"]],
  "system:kube-controller-manager": [
    EVENTS,
    ["coordination.k8s.io", "leases", "create"],
    ["coordination.k8s.io", "leases", "get update", "kube-controller-manager"],
    ["core", "secrets serviceaccounts", "create"],
    ["core", "secrets", "delete"],
    ["core", "configmaps namespaces secrets serviceaccounts", "get"],
    ["core", "secrets serviceaccounts", "update"],
    ["authentication.k8s.io", "tokenreviews", "create"],
    ["authorization.k8s.io", "subjectaccessreviews", "create"],
    ["*", "*", "list watch"],
    ["core", "serviceaccounts/token", "create"],
  ],
  "system:kube-dns": [["core", "endpoints services", "list watch"]],
  "system:kube-scheduler": [
    EVENTS,
    ["coordination.k8s.io", "leases", "create"],
    ["coordination.k8s.io", "leases", "get list update watch", "kube-scheduler"],
    ["coordination.k8s.io", "leasecandidates", "write read"],
    ["core", "nodes", "read"],
    ["core", "pods", "delete read"],
    ["core", "bindings pods/binding", "create"],
    ["core", "pods/status", "patch update"],
    ["core", "replicationcontrollers services", "read"],
    ["apps extensions", "replicasets", "read"],
    ["apps", "statefulsets", "read"],
    ["policy", "poddisruptionbudgets", "read"],
    ["core", "persistentvolumeclaims persistentvolumes", "read"],
    ["authentication.k8s.io", "tokenreviews", "create"],
    ["authorization.k8s.io", "subjectaccessreviews", "create"],
    ["storage.k8s.io", "csinodes", "read"],
    ["storage.k8s.io", "volumeattachments", "read"],
    ["core", "namespaces", "read"],
    ["storage.k8s.io", "csidrivers", "read"],
    ["storage.k8s.io", "csistoragecapacities", "read"],
    ["resource.k8s.io", "deviceclasses", "read"],
    ["resource.k8s.io", "resourceclaims", "get list patch update watch"],
    ["resource.k8s.io", "resourceclaims/status", "get list patch update watch"],
    ["core", "pods/finalizers", "update"],
    ["resource.k8s.io", "resourceslices", "read"],
    ["resource.k8s.io", "resourceclaims", "create delete"],
    ["resource.k8s.io", "resourceclaims/binding", "patch update"],
  ],
  "system:kubelet-api-admin": [
    ["core", "nodes", "read"],
    ["core", "nodes", "proxy"],
    ["core", "nodes/log nodes/metrics nodes/proxy nodes/stats", "*"],
    ["core", "nodes/configz nodes/healthz nodes/pods", "*"],
  ],
  "system:node-bootstrapper": [["certificates.k8s.io", "certificatesigningrequests", "create read"]],
  "system:node-problem-detector": [["core", "nodes", "get"], ["core", "nodes/status", "patch"], EVENTS],
  "system:node-proxier": [
    ["core", "endpoints services", "list watch"],
    ["core", "nodes", "read"],
    EVENTS,
    ["networking.k8s.io", "servicecidrs", "list watch"],
    ["discovery.k8s.io", "endpointslices", "list watch"],
  ],
  "system:persistent-volume-provisioner": [
    ["core", "persistentvolumes", "create delete read"],
    ["core", "persistentvolumeclaims", "get list update watch"],
    ["storage.k8s.io", "storageclasses", "read"],
    ["core", "events", "watch"],
    EVENTS,
  ],
  "system:volume-scheduler": [
    ["core", "persistentvolumes", "get list patch update watch"],
    ["storage.k8s.io", "storageclasses", "read"],
    ["core", "persistentvolumeclaims", "get list patch update watch"],
  ],
  /** K3s's own: the fabric, the network policies and the tunnels of every node. */
  "system:k3s-controller": [
    ["core", "nodes", "read"],
    ["core", "nodes/status", "patch"],
    ["core", "namespaces", "list watch"],
    ["networking.k8s.io", "networkpolicies", "list watch"],
    ["core", "endpoints pods", "read"],
    ["discovery.k8s.io", "endpointslices", "read"],
  ],
};

function approver(signer: string): readonly RuleLine[] {
  return [["certificates.k8s.io", "signers", "approve", `kubernetes.io/${signer}`]];
}

/** Roles inside a namespace, by `namespace/name`. */
export const NAMESPACE_ROLES: Readonly<Record<string, readonly RuleLine[]>> = {
  "kube-public/system:controller:bootstrap-signer": [
    ["core", "configmaps", "read"],
    ["core", "configmaps", "update", "cluster-info"],
    EVENTS,
  ],
  "kube-system/extension-apiserver-authentication-reader": [
    ["core", "configmaps", "read", "extension-apiserver-authentication"],
  ],
  "kube-system/system::leader-locking-kube-controller-manager": [
    ["coordination.k8s.io", "leases", LEASE_VERBS],
    ["coordination.k8s.io", "leasecandidates", LEASE_VERBS],
  ],
  "kube-system/system::leader-locking-kube-scheduler": [
    ["coordination.k8s.io", "leases", LEASE_VERBS],
    ["coordination.k8s.io", "leasecandidates", LEASE_VERBS],
  ],
  "kube-system/system:controller:bootstrap-signer": [["core", "secrets", "read"]],
  "kube-system/system:controller:cloud-provider": [["core", "configmaps", "create read"]],
  "kube-system/system:controller:token-cleaner": [["core", "secrets", "delete read"], EVENTS],
};
