import type { Pod } from "#kube/generated/types";
import { NODES, PODS } from "#kube/resources";
import type { AdmissionRequest } from "../../admit.ts";
import { podReferences } from "../../auth/pod-references.ts";
import { sameJson } from "../../kinds/field/same.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { notFound } from "../../status.ts";
import type { NodeRule } from "../node-restriction.ts";
import { isMirror } from "../service-account.ts";

/** As kube-apiserver names a pod that it looked for itself. */
const POD = { group: "", plural: "pod" };

/** A node makes mirror pods of itself, and deletes, evicts and reports on the pods that are bound to it. */
export const refusePod: NodeRule = (request, node, context) => {
  const { operation, subresource, stored } = request;
  if (subresource === "eviction") return refuseEviction(request, node, context);
  if (subresource === "status") return refuseStatus(request, node);
  if (subresource !== undefined)
    return `unexpected pod subresource "${subresource}", only 'status' and 'eviction' are allowed`;
  if (operation === "create") return refuseCreate(request.draft, node, context);
  if (operation === "delete")
    return isOn(stored, node)
      ? undefined
      : `node "${node}" can only delete pods with spec.nodeName set to itself`;
  return `unexpected operation "${operation.toUpperCase()}", node "${node}" can only create and delete mirror pods`;
};

/** What is stored may be the eviction's own doing: the pod is looked up. @throws {StatusFault} NotFound */
function refuseEviction(
  { namespace, name }: AdmissionRequest,
  node: string,
  context: WriteContext,
): string | undefined {
  const pod = context.read(PODS, namespace, name);
  if (pod === undefined) throw notFound(POD, name);
  return isOn(pod, node) ? undefined : `node ${node} can only evict pods with spec.nodeName set to itself`;
}

function isOn(stored: AdmissionRequest["stored"], node: string): boolean {
  const pod = stored as Pod | undefined;
  return pod?.spec?.nodeName === node;
}

function refuseStatus({ draft, stored }: AdmissionRequest, node: string): string | undefined {
  if (!isOn(stored, node))
    return `node "${node}" can only update pod status for pods with spec.nodeName set to itself`;
  const before = stored as Pod;
  const after: Pod = draft;
  if (!sameJson(after.metadata.labels ?? {}, before.metadata.labels ?? {}))
    return `node "${node}" cannot update labels through pod status`;
  return sameJson(after.status?.resourceClaimStatuses ?? [], before.status?.resourceClaimStatuses ?? [])
    ? undefined
    : `node "${node}" cannot update resource claim statues`;
}

function refuseCreate(pod: Pod, node: string, context: WriteContext): string | undefined {
  if (!isMirror(pod))
    return `pod does not have "kubernetes.io/config.mirror" annotation, node "${node}" can only create mirror pods`;
  if (pod.spec?.nodeName !== node)
    return `node "${node}" can only create pods with spec.nodeName set to itself`;
  return refuseOwner(pod, node, context) ?? refuseReferences(pod, node);
}

function refuseOwner({ metadata }: Pod, node: string, context: WriteContext): string | undefined {
  const owners = metadata.ownerReferences ?? [];
  const [owner] = owners;
  if (owners.length > 1)
    return `node "${node}" can only create pods with a single owner reference set to itself`;
  if (owner === undefined || owner.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== node)
    return `node "${node}" can only create pods with an owner reference set to itself`;
  if (owner.controller !== true)
    return `node "${node}" can only create pods with a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion === true)
    return `node "${node}" must not set blockOwnerDeletion on an owner reference`;
  const uid = context.read(NODES, undefined, node)?.metadata.uid;
  if (uid === undefined) return `node "${node}" not found`;
  return owner.uid === uid ? undefined : `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`;
}

/** What else of the API a pod is led to. @see kubernetes pkg/api/pod: HasAPIObjectReference */
function otherReference({ spec }: Pod): string | undefined {
  if (spec?.resourceClaims?.length) return "resourceclaims";
  for (const { csi, glusterfs, persistentVolumeClaim, ephemeral, projected } of spec?.volumes ?? []) {
    if (csi !== undefined) return "csidrivers (via CSI volumes)";
    if (glusterfs !== undefined) return "endpoints (via glusterFS volumes)";
    if (persistentVolumeClaim !== undefined) return "persistentvolumeclaims";
    if (ephemeral !== undefined) return "persistentvolumeclaims (via ephemeral volumes)";
    for (const source of projected?.sources ?? []) {
      if (source.serviceAccountToken !== undefined) return "serviceaccounts (via projected volumes)";
      if (source.clusterTrustBundle !== undefined) return "clustertrustbundles";
      if (source.podCertificate !== undefined) return "podcertificates";
    }
  }
  return undefined;
}

/** A pod that a node makes must not lead it to other objects. */
function refuseReferences(pod: Pod, node: string): string | undefined {
  if (pod.spec?.serviceAccountName)
    return `node "${node}" can not create pods that reference a service account`;
  const { annotations: _mirror, ...metadata } = pod.metadata;
  const kinds = new Set(podReferences({ ...pod, metadata }).map(({ kind }) => kind));
  const what = (["secret", "configmap"] as const).find((kind) => kinds.has(kind));
  const led = what === undefined ? otherReference(pod) : `${what}s`;
  return led === undefined ? undefined : `node "${node}" can not create pods that reference ${led}`;
}
