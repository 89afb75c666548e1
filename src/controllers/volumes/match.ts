import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { matchesNodeSelector } from "#kube/node-affinity";
import { isDeleting } from "#kube/owner";
import { amountOf } from "#kube/quantity";

const OLD_CLASS = "volume.beta.kubernetes.io/storage-class";
export const SELECTED_NODE = "volume.kubernetes.io/selected-node";
export const BIND_COMPLETED = "pv.kubernetes.io/bind-completed";
export const BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller";

/** The class that a claim or volume names; empty for none. */
export function classOf({ metadata, spec }: PersistentVolumeClaim | PersistentVolume): string {
  return metadata.annotations?.[OLD_CLASS] ?? spec?.storageClassName ?? "";
}

/** Whether binding waits until a pod that uses the claim has a node. */
export function waitsForConsumer(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
): boolean {
  if (claim.metadata.annotations?.[SELECTED_NODE] !== undefined) return false;
  return storageClass?.volumeBindingMode === "WaitForFirstConsumer";
}

/** Whether the volume is reserved for that very claim, or for the one of its name that is still to come. */
export function isFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const ref = spec?.claimRef;
  if (ref === undefined || ref.name !== metadata.name || ref.namespace !== metadata.namespace) return false;
  return !ref.uid || ref.uid === metadata.uid;
}

/** The volume to bind the claim to: one reserved for it, else the smallest free one that is enough.
 *  @param node where the pod will run, once that is known */
export function bestMatch(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  { isWaiting, node }: { readonly isWaiting: boolean; readonly node: Node | undefined },
): PersistentVolume | undefined {
  const fits = volumes.filter((volume) => satisfies(volume, claim));
  const reserved = fits.find((volume) => isFor(volume, claim));
  if (reserved !== undefined || isWaiting) return reserved;
  const free = fits.filter(
    (volume) =>
      volume.spec?.claimRef === undefined &&
      (volume.status?.phase ?? "Available") === "Available" &&
      classOf(volume) === classOf(claim) &&
      (claim.spec?.selector === undefined || matchesSelector(claim.spec.selector, volume.metadata.labels)) &&
      (node === undefined || isReachable(volume, node)),
  );
  return free.sort(bySize)[0];
}

/** Whether the volume could serve the claim, whoever it is reserved for. */
export function satisfies(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const modes = volume.spec?.accessModes ?? [];
  return (
    !isDeleting(volume) &&
    sizeOf(volume) >= (amountOf(String(claim.spec?.resources?.requests?.["storage"] ?? "0")) ?? 0) &&
    (claim.spec?.accessModes ?? []).every((mode) => modes.includes(mode)) &&
    (volume.spec?.volumeMode ?? "Filesystem") === (claim.spec?.volumeMode ?? "Filesystem") &&
    (volume.spec?.volumeAttributesClassName ?? "") === (claim.spec?.volumeAttributesClassName ?? "")
  );
}

function isReachable({ spec }: PersistentVolume, node: Node): boolean {
  const required = spec?.nodeAffinity?.required;
  return required === undefined || matchesNodeSelector(required, node);
}

function sizeOf({ spec }: PersistentVolume): number {
  return amountOf(String(spec?.capacity?.["storage"] ?? "0")) ?? 0;
}

function bySize(a: PersistentVolume, b: PersistentVolume): number {
  return sizeOf(a) - sizeOf(b) || (a.metadata.name < b.metadata.name ? -1 : 1);
}
