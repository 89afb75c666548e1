/** `ccm.yaml` as K3s packages it: what the cloud controller, and ServiceLB within it, may do. */
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
    verbs: [create, patch, update]
  - apiGroups: [""]
    resources: [nodes]
    verbs: ["*"]
  - apiGroups: [""]
    resources: [nodes/status, services/status]
    verbs: [patch]
  - apiGroups: [""]
    resources: [services, pods]
    verbs: [get, list, watch]
  - apiGroups: [""]
    resources: [services]
    verbs: [patch, update]
  - apiGroups: [""]
    resources: [serviceaccounts, namespaces]
    verbs: [create, get]
  - apiGroups: [apps]
    resources: [daemonsets]
    verbs: ["*"]
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
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: k3s-cloud-controller-manager-auth-delegator
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: system:auth-delegator
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: User
    name: k3s-cloud-controller-manager
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: k3s-cloud-controller-manager-authentication-reader
  namespace: kube-system
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: extension-apiserver-authentication-reader
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: User
    name: k3s-cloud-controller-manager
`;
