import type {
  ClusterRole,
  ClusterRoleBinding,
  CronJob,
  HorizontalPodAutoscaler,
  Ingress,
  IngressClass,
  Job,
  LimitRange,
  NetworkPolicy,
  PersistentVolume,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  PriorityClass,
  ResourceQuota,
  Role,
  RoleBinding,
  StatefulSet,
  StorageClass,
} from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import type { Endpoints } from "./core/endpoints-type.ts";

const namespaced = { version: "v1", namespaced: true } as const;
const cluster = { version: "v1", namespaced: false } as const;

export const ENDPOINTS = define<Endpoints>(namespaced, "", "Endpoints", "endpoints");
export const LIMIT_RANGES = define<LimitRange>(namespaced, "", "LimitRange", "limitranges");
export const RESOURCE_QUOTAS = define<ResourceQuota>(namespaced, "", "ResourceQuota", "resourcequotas");
export const PERSISTENT_VOLUMES = define<PersistentVolume>(
  cluster,
  "",
  "PersistentVolume",
  "persistentvolumes",
);
export const PERSISTENT_VOLUME_CLAIMS = define<PersistentVolumeClaim>(
  namespaced,
  "",
  "PersistentVolumeClaim",
  "persistentvolumeclaims",
);
export const STATEFUL_SETS = define<StatefulSet>(namespaced, "apps", "StatefulSet", "statefulsets");
export const JOBS = define<Job>(namespaced, "batch", "Job", "jobs");
export const CRON_JOBS = define<CronJob>(namespaced, "batch", "CronJob", "cronjobs");
export const INGRESSES = define<Ingress>(namespaced, "networking.k8s.io", "Ingress", "ingresses");
export const INGRESS_CLASSES = define<IngressClass>(
  cluster,
  "networking.k8s.io",
  "IngressClass",
  "ingressclasses",
);
export const NETWORK_POLICIES = define<NetworkPolicy>(
  namespaced,
  "networking.k8s.io",
  "NetworkPolicy",
  "networkpolicies",
);
const RBAC = "rbac.authorization.k8s.io";
export const ROLES = define<Role>(namespaced, RBAC, "Role", "roles");
export const ROLE_BINDINGS = define<RoleBinding>(namespaced, RBAC, "RoleBinding", "rolebindings");
export const CLUSTER_ROLES = define<ClusterRole>(cluster, RBAC, "ClusterRole", "clusterroles");
export const CLUSTER_ROLE_BINDINGS = define<ClusterRoleBinding>(
  cluster,
  RBAC,
  "ClusterRoleBinding",
  "clusterrolebindings",
);
export const POD_DISRUPTION_BUDGETS = define<PodDisruptionBudget>(
  namespaced,
  "policy",
  "PodDisruptionBudget",
  "poddisruptionbudgets",
);
export const STORAGE_CLASSES = define<StorageClass>(
  cluster,
  "storage.k8s.io",
  "StorageClass",
  "storageclasses",
);
export const PRIORITY_CLASSES = define<PriorityClass>(
  cluster,
  "scheduling.k8s.io",
  "PriorityClass",
  "priorityclasses",
);
export const HORIZONTAL_POD_AUTOSCALERS = define<HorizontalPodAutoscaler>(
  { version: "v2", namespaced: true },
  "autoscaling",
  "HorizontalPodAutoscaler",
  "horizontalpodautoscalers",
);

function define<T extends KubeObject>(
  scope: Pick<Resource, "version" | "namespaced">,
  group: string,
  kind: string,
  plural: string,
): Resource<T> {
  return { ...scope, group, kind, plural };
}
