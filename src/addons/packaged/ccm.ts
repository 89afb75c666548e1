/** `ccm.yaml`, by K3s's names: what the cloud controller, and ServiceLB within it, may do. It is less than K3s gives: this one never deletes
 *  a Node, writes to Services by their status alone, and has no port at which it would have to ask who comes. */
export const CCM_MANIFEST = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: k3s-cloud-controller-manager
rules:
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [get, create, update]
  - apiGroups: [""]
    resources: [events]
    verbs: [create, patch]
  - apiGroups: [""]
    resources: [nodes]
    verbs: [get, list, watch, update]
  - apiGroups: [""]
    resources: [nodes/status, services/status]
    verbs: [patch]
  - apiGroups: [""]
    resources: [services, pods]
    verbs: [get, list, watch]
  - apiGroups: [""]
    resources: [serviceaccounts, namespaces]
    verbs: [create, get]
  - apiGroups: [apps]
    resources: [daemonsets]
    verbs: [get, list, watch, create, update, delete]
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices]
    verbs: [get, list, watch]
  # not in K3s: a class that a Service asks for and that does not exist is told of
  - apiGroups: [scheduling.k8s.io]
    resources: [priorityclasses]
    verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: k3s-cloud-controller-manager
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: k3s-cloud-controller-manager
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: User
    name: k3s-cloud-controller-manager
`;
