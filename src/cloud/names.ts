/** K3s's names for what its cloud controller and ServiceLB read and write; users' manifests and tools know them. */

/** Annotations by which an agent says what its machine is; each a comma-separated list but `hostname`. */
export const NODE_ANNOTATIONS = {
  internalIp: "k3s.io/internal-ip",
  externalIp: "k3s.io/external-ip",
  internalDns: "k3s.io/internal-dns",
  externalDns: "k3s.io/external-dns",
  hostname: "k3s.io/hostname",
} as const;

/** A kubelet's: the addresses it was told. Only these, of their type, are the node's. */
export const PROVIDED_IP = "alpha.kubernetes.io/provided-node-ip";

/** Put on a Node at registration; nothing is scheduled to it before the cloud controller has taken it away. */
export const UNINITIALIZED_TAINT = "node.cloudprovider.kubernetes.io/uninitialized";
/** Of a machine that is switched off. */
export const SHUTDOWN_TAINT = "node.cloudprovider.kubernetes.io/shutdown";

/** What a Node's labels say of its machine: the name in use, and the older one that some still select by. */
export const MACHINE_LABELS = {
  instanceType: { stable: "node.kubernetes.io/instance-type", old: "beta.kubernetes.io/instance-type" },
  region: { stable: "topology.kubernetes.io/region", old: "failure-domain.beta.kubernetes.io/region" },
  zone: { stable: "topology.kubernetes.io/zone", old: "failure-domain.beta.kubernetes.io/zone" },
} as const;

/** Whose machines these are: in `spec.providerID`, and as the type of an instance without another. */
export const PROVIDER = "k3s";
/** Who the cloud controller is: its user, its role, its lease. */
export const CLOUD_CONTROLLER = "k3s-cloud-controller-manager";

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
