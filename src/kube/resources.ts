import type {
  Binding,
  ConfigMap,
  ControllerRevision,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Event,
  Lease,
  Namespace,
  Node,
  Pod,
  ReplicaSet,
  Secret,
  Service,
  ServiceAccount,
} from "./generated/types.ts";
import type { KubeObject, Resource } from "./object.ts";

const core = { group: "", version: "v1", namespaced: true } as const;
const apps = { group: "apps", version: "v1", namespaced: true } as const;

export const NAMESPACES = define<Namespace>({
  ...core,
  kind: "Namespace",
  plural: "namespaces",
  namespaced: false,
});
export const NODES = define<Node>({ ...core, kind: "Node", plural: "nodes", namespaced: false });
export const PODS = define<Pod>({ ...core, kind: "Pod", plural: "pods" });
export const SERVICES = define<Service>({ ...core, kind: "Service", plural: "services" });
export const CONFIG_MAPS = define<ConfigMap>({ ...core, kind: "ConfigMap", plural: "configmaps" });
export const SECRETS = define<Secret>({ ...core, kind: "Secret", plural: "secrets" });
export const SERVICE_ACCOUNTS = define<ServiceAccount>({
  ...core,
  kind: "ServiceAccount",
  plural: "serviceaccounts",
});
export const EVENTS = define<Event>({ ...core, kind: "Event", plural: "events" });
export const BINDINGS = define<Binding>({ ...core, kind: "Binding", plural: "bindings" });
export const DEPLOYMENTS = define<Deployment>({ ...apps, kind: "Deployment", plural: "deployments" });
export const REPLICA_SETS = define<ReplicaSet>({ ...apps, kind: "ReplicaSet", plural: "replicasets" });
export const DAEMON_SETS = define<DaemonSet>({ ...apps, kind: "DaemonSet", plural: "daemonsets" });
export const CONTROLLER_REVISIONS = define<ControllerRevision>({
  ...apps,
  kind: "ControllerRevision",
  plural: "controllerrevisions",
});
export const ENDPOINT_SLICES = define<EndpointSlice>({
  group: "discovery.k8s.io",
  version: "v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
  namespaced: true,
});
export const LEASES = define<Lease>({
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
});

function define<T extends KubeObject>(resource: Resource<T>): Resource<T> {
  return resource;
}
