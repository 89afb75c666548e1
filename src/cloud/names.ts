/** K3s's names for what its cloud controller and ServiceLB read and write; users' manifests and tools know them. */

/** Annotations by which an agent says what its machine is; each a comma-separated list but `hostname`. */
export const NODE_ANNOTATIONS = {
  internalIp: "k3s.io/internal-ip",
  externalIp: "k3s.io/external-ip",
  internalDns: "k3s.io/internal-dns",
  externalDns: "k3s.io/external-dns",
  hostname: "k3s.io/hostname",
} as const;

/** Labels and annotations of ServiceLB. */
export const SERVICELB = {
  /** On a Node: it may hold load balancers. Where any Node has it, only those do. */
  enable: "svccontroller.k3s.cattle.io/enablelb",
  /** On a Node and a Service: only nodes of the same pool hold the service's load balancer. */
  pool: "svccontroller.k3s.cattle.io/lbpool",
  /** On a DaemonSet and its pods: whose they are. */
  serviceName: "svccontroller.k3s.cattle.io/svcname",
  serviceNamespace: "svccontroller.k3s.cattle.io/svcnamespace",
  /** On a DaemonSet: "true" where it is kept to enabled nodes. */
  nodeSelector: "svccontroller.k3s.cattle.io/nodeselector",
  /** Annotations of a Service. */
  priorityClass: "svccontroller.k3s.cattle.io/priorityclassname",
  tolerations: "svccontroller.k3s.cattle.io/tolerations",
} as const;
