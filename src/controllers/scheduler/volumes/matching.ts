import type {
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  TopologySelectorTerm,
} from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { matchesNodeSelector } from "#kube/node-affinity";
import { isDeleting } from "#kube/owner";
import { milliOf } from "#kube/quantity";
import type { NodeView } from "../node-view.ts";
import { classOf } from "./volume-source.ts";

/** Whether the volume can be reached from the node. */
export function isReachable({ spec }: PersistentVolume, { node }: NodeView): boolean {
  const required = spec?.nodeAffinity?.required;
  return required === undefined || matchesNodeSelector(required, node);
}

/** The smallest free volume that does for the claim on the node; the one reserved for it by name goes first. */
export function matchingVolume(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  view: NodeView,
): PersistentVolume | undefined {
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (!suits(volume, claim) || !isReachable(volume, view)) continue;
    if (volume.spec?.claimRef) {
      if (isFor(volume, claim)) return volume;
      continue;
    }
    if (volume.status?.phase !== "Available" || classOf(volume) !== classOf(claim)) continue;
    const { selector } = claim.spec ?? {};
    if (selector && !matchesSelector(selector, volume.metadata.labels)) continue;
    if (best === undefined || sizeOf(volume) < sizeOf(best)) best = volume;
  }
  return best;
}

/** Bytes, in thousandths. */
export function wantedSize({ spec }: PersistentVolumeClaim): number {
  return milliOf(spec?.resources?.requests?.["storage"]);
}

/** Whether a class can make volumes that the node reaches. */
export function canProvision(
  storageClass: StorageClass | undefined,
  { labels }: NodeView,
): storageClass is StorageClass {
  if (!storageClass?.provisioner || storageClass.provisioner === "kubernetes.io/no-provisioner") return false;
  const terms = storageClass.allowedTopologies ?? [];
  return terms.length === 0 || terms.some((term) => isInTopology(term, labels));
}

/** Whether there is room for the claim near the node. */
export function hasRoom(
  capacities: readonly CSIStorageCapacity[],
  claim: PersistentVolumeClaim,
  { labels }: NodeView,
): boolean {
  const wanted = wantedSize(claim);
  return capacities.some(({ capacity, maximumVolumeSize, nodeTopology }) => {
    const room = maximumVolumeSize ?? capacity;
    return (
      room !== undefined &&
      milliOf(room) >= wanted &&
      nodeTopology !== undefined &&
      matchesSelector(nodeTopology, labels)
    );
  });
}

function isInTopology(
  { matchLabelExpressions = [] }: TopologySelectorTerm,
  labels: Readonly<Record<string, string>>,
) {
  return matchLabelExpressions.every(({ key, values }) => {
    const value = labels[key];
    return value !== undefined && values.includes(value);
  });
}

function suits(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const modes = volume.spec?.accessModes ?? [];
  return (
    !isDeleting(volume) &&
    (volume.spec?.volumeMode ?? "Filesystem") === (claim.spec?.volumeMode ?? "Filesystem") &&
    (claim.spec?.accessModes ?? []).every((mode) => modes.includes(mode)) &&
    sizeOf(volume) >= wantedSize(claim)
  );
}

function isFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const { namespace, name, uid } = spec?.claimRef ?? {};
  return namespace === metadata.namespace && name === metadata.name && (!uid || uid === metadata.uid);
}

function sizeOf({ spec }: PersistentVolume): number {
  return milliOf(spec?.capacity?.["storage"]);
}
