import { createHash } from "node:crypto";
import { Fault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { referencesOf } from "../volume/references.ts";

export const HASH = "kubernetes.io/config.hash";
const SOURCE = "kubernetes.io/config.source";
export const SEEN = "kubernetes.io/config.seen";
/** Whatever happens to the node, what its files say runs there. */
const STAYS = { operator: "Exists", effect: "NoExecute" };
const UID = /^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/;

export interface ManifestOrigin {
  readonly path: string;
  readonly nodeName: string;
  /** RFC 3339: when it was first read. */
  readonly seenAt: string;
}

/** A file's pod as it runs on this node: with the node's name in its own, and a uid that is another as soon as anything in the file is.
 *  @throws {Fault} "BadManifest" @see kubelet config/common.go applyDefaults */
export function staticPod(pod: Pod, { path, nodeName, seenAt }: ManifestOrigin): Pod {
  const { metadata, spec } = pod;
  if (!metadata?.name || !spec) throw new Fault("BadManifest", "invalid pod: name is needed for the pod");
  const uid = metadata.uid ?? hashOf({ pod, nodeName, path });
  if (!UID.test(uid)) throw new Fault("BadManifest", `invalid pod: ${JSON.stringify(uid)} is not a uid`);
  return {
    ...pod,
    metadata: {
      ...metadata,
      name: `${metadata.name}-${nodeName.toLowerCase()}`,
      namespace: metadata.namespace || "default",
      uid,
      annotations: { ...metadata.annotations, [HASH]: uid, [SEEN]: seenAt, [SOURCE]: "file" },
    },
    spec: { ...spec, nodeName, tolerations: [...(spec.tolerations ?? []).filter(isOther), STAYS] },
    status: { phase: "Pending" },
  };
}

function isOther(toleration: object): boolean {
  return JSON.stringify({ ...STAYS, ...toleration }) !== JSON.stringify(STAYS);
}

function hashOf(what: unknown): string {
  return createHash("sha256").update(JSON.stringify(what)).digest("hex").slice(0, 32);
}

/** Refuses a pod that needs the API to run: it is to run without one. @throws {Fault} "BadManifest" */
export function refuseReferences(pod: Pod): void {
  const what = referenceOf(pod);
  if (what !== undefined) throw new Fault("BadManifest", `static pods may not reference ${what}`);
}

/** @see kubernetes pkg/api/pod HasAPIObjectReference */
function referenceOf(pod: Pod): string | undefined {
  const { spec } = pod;
  if (spec?.serviceAccountName) return "serviceaccounts";
  const named = new Set(referencesOf(pod).map(({ resource }) => resource.plural));
  if (named.has("secrets") || spec?.imagePullSecrets?.length) return "secrets";
  if (named.has("configmaps")) return "configmaps";
  if (spec?.resourceClaims?.length) return "resourceclaims";
  for (const volume of spec?.volumes ?? []) {
    if (volume.csi) return "csidrivers (via CSI volumes)";
    if (volume.glusterfs) return "endpoints (via glusterFS volumes)";
    if (volume.persistentVolumeClaim) return "persistentvolumeclaims";
    if (volume.ephemeral) return "persistentvolumeclaims (via ephemeral volumes)";
    if (volume.azureFile) return "secrets (via azureFile volumes)";
    for (const source of volume.projected?.sources ?? []) {
      if (source.serviceAccountToken) return "serviceaccounts (via projected volumes)";
      if (source.clusterTrustBundle) return "clustertrustbundles";
      if (source.podCertificate) return "podcertificates";
    }
  }
  return undefined;
}
