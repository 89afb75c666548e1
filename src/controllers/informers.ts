import type { PersistentVolume } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { type InformerOptions, type LiveInformer, openInformer } from "#kube/open-informer";
import { controllerOf } from "#kube/owner";
import * as resources from "#kube/resources";
import type { ControllerOptions } from "./context.ts";

/** Index of children by the uid of their controller. */
export const BY_CONTROLLER = "controller";
/** Index of objects nobody controls, by namespace. */
export const ORPHANS = "orphans";
export const BY_NAMESPACE = "namespace";
/** Index of pods by node; pods without one are under the empty name. */
export const BY_NODE = "node";
/** Index of endpoint slices by `namespace/service`. */
export const BY_SERVICE = "service";

/** Index of persistent volumes by storage class; volumes without one are under the empty name. */
export const BY_CLASS = "class";

export const ROOT_CA_NAME = "kube-root-ca.crt";
export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";
const ACCOUNT_TOKEN_TYPE = "kubernetes.io/service-account-token";
const BOOTSTRAP_TOKEN_TYPE = "bootstrap.kubernetes.io/token";
export const LEASE_NAMESPACE = "kube-node-lease";

export type Informers = ReturnType<typeof openInformers>;

/** Opens the one live copy of each resource that all controllers share. */
export function openInformers(options: ControllerOptions) {
  const open = <T extends KubeObject>(resource: Resource<T>, own: Partial<InformerOptions<T>> = {}) =>
    openInformer<T>(options.client, resource, {
      clock: options.clock,
      log: options.log,
      signal: options.signal,
      ...(options.random ? { random: options.random } : {}),
      ...own,
    });
  const owned = { [BY_CONTROLLER]: controllerUid, [ORPHANS]: orphanNamespace };
  return {
    pods: open(resources.PODS, {
      indexes: {
        ...owned,
        [BY_NAMESPACE]: namespaceOf,
        [BY_NODE]: (pod) => [pod.spec?.nodeName ?? ""],
      },
    }),
    nodes: open(resources.NODES),
    namespaces: open(resources.NAMESPACES),
    deployments: open(resources.DEPLOYMENTS, { indexes: { [BY_NAMESPACE]: namespaceOf } }),
    replicaSets: open(resources.REPLICA_SETS, { indexes: { ...owned, [BY_NAMESPACE]: namespaceOf } }),
    daemonSets: open(resources.DAEMON_SETS, { indexes: { [BY_NAMESPACE]: namespaceOf } }),
    revisions: open(resources.CONTROLLER_REVISIONS, { indexes: owned }),
    statefulSets: open(resources.STATEFUL_SETS, { indexes: { [BY_NAMESPACE]: namespaceOf } }),
    claims: open(resources.PERSISTENT_VOLUME_CLAIMS),
    persistentVolumes: open(resources.PERSISTENT_VOLUMES, { indexes: { [BY_CLASS]: classNames } }),
    storageClasses: open(resources.STORAGE_CLASSES),
    jobs: open(resources.JOBS, { indexes: { ...owned, [BY_NAMESPACE]: namespaceOf } }),
    cronJobs: open(resources.CRON_JOBS),
    services: open(resources.SERVICES, { indexes: { [BY_NAMESPACE]: namespaceOf } }),
    endpointSlices: open(resources.ENDPOINT_SLICES, { indexes: { [BY_SERVICE]: serviceOf } }),
    endpoints: open(resources.ENDPOINTS),
    budgets: open(resources.POD_DISRUPTION_BUDGETS, { indexes: { [BY_NAMESPACE]: namespaceOf } }),
    serviceAccounts: open(resources.SERVICE_ACCOUNTS),
    tokenSecrets: open(resources.SECRETS, { fieldSelector: `type=${ACCOUNT_TOKEN_TYPE}` }),
    bootstrapTokens: open(resources.SECRETS, {
      namespace: "kube-system",
      fieldSelector: `type=${BOOTSTRAP_TOKEN_TYPE}`,
    }),
    clusterInfos: open(resources.CONFIG_MAPS, {
      namespace: "kube-public",
      fieldSelector: "metadata.name=cluster-info",
    }),
    signingRequests: open(resources.CERTIFICATE_SIGNING_REQUESTS),
    clusterRoles: open(resources.CLUSTER_ROLES),
    rootCas: open(resources.CONFIG_MAPS, { fieldSelector: `metadata.name=${ROOT_CA_NAME}` }),
    leases: open(resources.LEASES, { namespace: LEASE_NAMESPACE }),
  };
}

/** Resolves once every copy is complete; rejects when aborted first. */
export async function whenSynced(informers: Informers): Promise<void> {
  await Promise.all(Object.values(informers).map((informer) => informer.synced));
}

/** The children a controller may count on: those it controls, and the orphans of its namespace. */
export function candidatesOf<T extends KubeObject>(
  informer: LiveInformer<T>,
  parent: KubeObject,
): readonly T[] {
  return [
    ...informer.byIndex(BY_CONTROLLER, parent.metadata.uid ?? ""),
    ...informer.byIndex(ORPHANS, parent.metadata.namespace ?? ""),
  ];
}

function controllerUid(object: KubeObject): readonly string[] {
  const uid = controllerOf(object)?.uid;
  return uid === undefined ? [] : [uid];
}

function orphanNamespace(object: KubeObject): readonly string[] {
  return controllerOf(object) === undefined ? namespaceOf(object) : [];
}

function namespaceOf(object: KubeObject): readonly string[] {
  return [object.metadata.namespace ?? ""];
}

function serviceOf({ metadata }: KubeObject): readonly string[] {
  const service = metadata.labels?.[SERVICE_NAME_LABEL];
  return service === undefined ? [] : [`${metadata.namespace}/${service}`];
}

function classNames({ metadata, spec }: PersistentVolume): readonly string[] {
  return [metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? ""];
}
