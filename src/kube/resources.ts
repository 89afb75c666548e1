import type { Endpoints } from "./endpoints.ts";
import type {
  Binding,
  CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  ControllerRevision,
  CronJob,
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Event,
  HorizontalPodAutoscaler,
  Ingress,
  IngressClass,
  IPAddress,
  Job,
  Lease,
  LimitRange,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PodTemplate,
  PriorityClass,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
  Role,
  RoleBinding,
  RuntimeClass,
  Secret,
  Service,
  ServiceAccount,
  ServiceCIDR,
  StatefulSet,
  StorageClass,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
  VolumeAttachment,
  VolumeAttributesClass,
} from "./generated/types.ts";
import type { KubeObject, Resource } from "./object.ts";

const clusterCore = { group: "", version: "v1", namespaced: false } as const;
const core = { group: "", version: "v1", namespaced: true } as const;
const apps = { group: "apps", version: "v1", namespaced: true } as const;
const batch = { group: "batch", version: "v1", namespaced: true } as const;
const autoscaling = { group: "autoscaling", version: "v2", namespaced: true } as const;
const policy = { group: "policy", version: "v1", namespaced: true } as const;
const networking = { group: "networking.k8s.io", version: "v1", namespaced: true } as const;
const clusterNetworking = { group: "networking.k8s.io", version: "v1", namespaced: false } as const;
const discovery = { group: "discovery.k8s.io", version: "v1", namespaced: true } as const;
const coordination = { group: "coordination.k8s.io", version: "v1", namespaced: true } as const;
const rbac = { group: "rbac.authorization.k8s.io", version: "v1", namespaced: true } as const;
const clusterRbac = { group: "rbac.authorization.k8s.io", version: "v1", namespaced: false } as const;
const clusterScheduling = { group: "scheduling.k8s.io", version: "v1", namespaced: false } as const;
const clusterStorage = { group: "storage.k8s.io", version: "v1", namespaced: false } as const;
const storage = { group: "storage.k8s.io", version: "v1", namespaced: true } as const;
const clusterNode = { group: "node.k8s.io", version: "v1", namespaced: false } as const;
const clusterCertificates = { group: "certificates.k8s.io", version: "v1", namespaced: false } as const;
const clusterAdmissionregistration = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  namespaced: false,
} as const;
const clusterApiextensions = { group: "apiextensions.k8s.io", version: "v1", namespaced: false } as const;

export const NAMESPACES = define<Namespace>(clusterCore, "Namespace", "namespaces");
export const NODES = define<Node>(clusterCore, "Node", "nodes");
export const PERSISTENT_VOLUMES = define<PersistentVolume>(
  clusterCore,
  "PersistentVolume",
  "persistentvolumes",
);
export const PODS = define<Pod>(core, "Pod", "pods");
export const SERVICES = define<Service>(core, "Service", "services");
export const CONFIG_MAPS = define<ConfigMap>(core, "ConfigMap", "configmaps");
export const SECRETS = define<Secret>(core, "Secret", "secrets");
export const SERVICE_ACCOUNTS = define<ServiceAccount>(core, "ServiceAccount", "serviceaccounts");
export const EVENTS = define<Event>(core, "Event", "events");
export const ENDPOINTS = define<Endpoints>(core, "Endpoints", "endpoints");
export const BINDINGS = define<Binding>(core, "Binding", "bindings");
export const LIMIT_RANGES = define<LimitRange>(core, "LimitRange", "limitranges");
export const RESOURCE_QUOTAS = define<ResourceQuota>(core, "ResourceQuota", "resourcequotas");
export const PERSISTENT_VOLUME_CLAIMS = define<PersistentVolumeClaim>(
  core,
  "PersistentVolumeClaim",
  "persistentvolumeclaims",
);
export const POD_TEMPLATES = define<PodTemplate>(core, "PodTemplate", "podtemplates");
export const REPLICATION_CONTROLLERS = define<ReplicationController>(
  core,
  "ReplicationController",
  "replicationcontrollers",
);
export const DEPLOYMENTS = define<Deployment>(apps, "Deployment", "deployments");
export const REPLICA_SETS = define<ReplicaSet>(apps, "ReplicaSet", "replicasets");
export const DAEMON_SETS = define<DaemonSet>(apps, "DaemonSet", "daemonsets");
export const STATEFUL_SETS = define<StatefulSet>(apps, "StatefulSet", "statefulsets");
export const CONTROLLER_REVISIONS = define<ControllerRevision>(
  apps,
  "ControllerRevision",
  "controllerrevisions",
);
export const JOBS = define<Job>(batch, "Job", "jobs");
export const CRON_JOBS = define<CronJob>(batch, "CronJob", "cronjobs");
export const HORIZONTAL_POD_AUTOSCALERS = define<HorizontalPodAutoscaler>(
  autoscaling,
  "HorizontalPodAutoscaler",
  "horizontalpodautoscalers",
);
export const POD_DISRUPTION_BUDGETS = define<PodDisruptionBudget>(
  policy,
  "PodDisruptionBudget",
  "poddisruptionbudgets",
);
export const INGRESSES = define<Ingress>(networking, "Ingress", "ingresses");
export const NETWORK_POLICIES = define<NetworkPolicy>(networking, "NetworkPolicy", "networkpolicies");
export const INGRESS_CLASSES = define<IngressClass>(clusterNetworking, "IngressClass", "ingressclasses");
export const SERVICE_CIDRS = define<ServiceCIDR>(clusterNetworking, "ServiceCIDR", "servicecidrs");
export const IP_ADDRESSES = define<IPAddress>(clusterNetworking, "IPAddress", "ipaddresses");
export const ENDPOINT_SLICES = define<EndpointSlice>(discovery, "EndpointSlice", "endpointslices");
export const LEASES = define<Lease>(coordination, "Lease", "leases");
export const ROLES = define<Role>(rbac, "Role", "roles");
export const ROLE_BINDINGS = define<RoleBinding>(rbac, "RoleBinding", "rolebindings");
export const CLUSTER_ROLES = define<ClusterRole>(clusterRbac, "ClusterRole", "clusterroles");
export const CLUSTER_ROLE_BINDINGS = define<ClusterRoleBinding>(
  clusterRbac,
  "ClusterRoleBinding",
  "clusterrolebindings",
);
export const PRIORITY_CLASSES = define<PriorityClass>(clusterScheduling, "PriorityClass", "priorityclasses");
export const STORAGE_CLASSES = define<StorageClass>(clusterStorage, "StorageClass", "storageclasses");
export const CSI_DRIVERS = define<CSIDriver>(clusterStorage, "CSIDriver", "csidrivers");
export const CSI_NODES = define<CSINode>(clusterStorage, "CSINode", "csinodes");
export const VOLUME_ATTACHMENTS = define<VolumeAttachment>(
  clusterStorage,
  "VolumeAttachment",
  "volumeattachments",
);
export const VOLUME_ATTRIBUTES_CLASSES = define<VolumeAttributesClass>(
  clusterStorage,
  "VolumeAttributesClass",
  "volumeattributesclasses",
);
export const CSI_STORAGE_CAPACITIES = define<CSIStorageCapacity>(
  storage,
  "CSIStorageCapacity",
  "csistoragecapacities",
);
export const RUNTIME_CLASSES = define<RuntimeClass>(clusterNode, "RuntimeClass", "runtimeclasses");
export const CERTIFICATE_SIGNING_REQUESTS = define<CertificateSigningRequest>(
  clusterCertificates,
  "CertificateSigningRequest",
  "certificatesigningrequests",
);
export const MUTATING_WEBHOOK_CONFIGURATIONS = define<MutatingWebhookConfiguration>(
  clusterAdmissionregistration,
  "MutatingWebhookConfiguration",
  "mutatingwebhookconfigurations",
);
export const VALIDATING_WEBHOOK_CONFIGURATIONS = define<ValidatingWebhookConfiguration>(
  clusterAdmissionregistration,
  "ValidatingWebhookConfiguration",
  "validatingwebhookconfigurations",
);
export const VALIDATING_ADMISSION_POLICIES = define<ValidatingAdmissionPolicy>(
  clusterAdmissionregistration,
  "ValidatingAdmissionPolicy",
  "validatingadmissionpolicies",
);
export const VALIDATING_ADMISSION_POLICY_BINDINGS = define<ValidatingAdmissionPolicyBinding>(
  clusterAdmissionregistration,
  "ValidatingAdmissionPolicyBinding",
  "validatingadmissionpolicybindings",
);
export const MUTATING_ADMISSION_POLICIES = define<MutatingAdmissionPolicy>(
  clusterAdmissionregistration,
  "MutatingAdmissionPolicy",
  "mutatingadmissionpolicies",
);
export const MUTATING_ADMISSION_POLICY_BINDINGS = define<MutatingAdmissionPolicyBinding>(
  clusterAdmissionregistration,
  "MutatingAdmissionPolicyBinding",
  "mutatingadmissionpolicybindings",
);
export const CUSTOM_RESOURCE_DEFINITIONS = define<CustomResourceDefinition>(
  clusterApiextensions,
  "CustomResourceDefinition",
  "customresourcedefinitions",
);

function define<T extends KubeObject>(
  scope: Pick<Resource, "group" | "version" | "namespaced">,
  kind: string,
  plural: string,
): Resource<T> {
  return { ...scope, kind, plural };
}
