import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { isDeleting } from "#kube/owner";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";
import { BY_NAMESPACE } from "../informers.ts";
import { claimNames } from "./pod-claims.ts";

const CLAIM_FINALIZER = "kubernetes.io/pvc-protection";
const VOLUME_FINALIZER = "kubernetes.io/pv-protection";

/** Keeps claims while a pod uses them and volumes while they are bound, even if somebody deletes them. */
export function runStorageProtection(context: ControllerContext): void {
  const { claims, persistentVolumes, pods } = context.informers;
  const claimQueue = openQueue(context, "claim-protection", {
    workers: 1,
    work: (key) => syncClaim(context, claims.get(key)),
  });
  const volumeQueue = openQueue(context, "volume-protection", {
    workers: 1,
    work: (key) => syncVolume(context, persistentVolumes.get(key)),
  });
  claims.subscribe(({ type, key }) => {
    if (type !== "removed") claimQueue.add(key);
  });
  persistentVolumes.subscribe(({ type, key }) => {
    if (type !== "removed") volumeQueue.add(key);
  });
  pods.subscribe((change) => {
    if (change.type !== "removed") return;
    for (const name of claimNames(change.before))
      claimQueue.add(`${change.before.metadata.namespace}/${name}`);
  });
}

async function syncClaim(
  context: ControllerContext,
  claim: PersistentVolumeClaim | undefined,
): Promise<undefined> {
  if (claim === undefined) return;
  if (!isDeleting(claim)) return guard(context.client, PERSISTENT_VOLUME_CLAIMS, claim, CLAIM_FINALIZER);
  if (!(claim.metadata.finalizers ?? []).includes(CLAIM_FINALIZER)) return;
  const { namespace = "", name } = claim.metadata;
  const uses = (pod: Pod) => Boolean(pod.spec?.nodeName) && claimNames(pod).includes(name);
  if (context.informers.pods.byIndex(BY_NAMESPACE, namespace).some(uses)) return;
  // The copy may not show the newest pod yet: what is let go now is gone.
  if ((await context.client.list(PODS, { namespace })).items.some(uses)) return;
  await release(context.client, PERSISTENT_VOLUME_CLAIMS, claim, CLAIM_FINALIZER);
}

async function syncVolume(
  { client }: ControllerContext,
  volume: PersistentVolume | undefined,
): Promise<undefined> {
  if (volume === undefined) return;
  if (!isDeleting(volume)) return guard(client, PERSISTENT_VOLUMES, volume, VOLUME_FINALIZER);
  if (volume.status?.phase === "Bound" || !(volume.metadata.finalizers ?? []).includes(VOLUME_FINALIZER))
    return;
  await release(client, PERSISTENT_VOLUMES, volume, VOLUME_FINALIZER);
}

async function guard<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
  finalizer: string,
): Promise<undefined> {
  const finalizers = object.metadata.finalizers ?? [];
  if (!finalizers.includes(finalizer))
    await setFinalizers(client, resource, object, [...finalizers, finalizer]);
}

async function release<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
  finalizer: string,
): Promise<void> {
  const rest = (object.metadata.finalizers ?? []).filter((other) => other !== finalizer);
  await setFinalizers(client, resource, object, rest);
}

async function setFinalizers<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  { metadata }: T,
  finalizers: readonly string[],
): Promise<void> {
  const { uid, resourceVersion } = metadata;
  const patch = { metadata: { uid, resourceVersion, finalizers: finalizers.length > 0 ? finalizers : null } };
  try {
    await client.patch(resource, metadata, patch, { type: "merge" });
  } catch (error) {
    if (!isApiFault(error, "NotFound")) throw error;
  }
}
