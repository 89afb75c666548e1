import type {
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "#kube/generated/types";

/** What is known of storage at the moment. */
export interface VolumeSource {
  /** By `namespace/name`. */
  claim(key: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumesOfClass(name: string): readonly PersistentVolume[];
  storageClass(name: string): StorageClass | undefined;
  csiNode(name: string): CSINode | undefined;
  /** Of a class whose driver tells capacities; undefined when it does not. */
  capacities(storageClass: StorageClass): readonly CSIStorageCapacity[] | undefined;
}

export const BIND_COMPLETED = "pv.kubernetes.io/bind-completed";
export const BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller";
export const SELECTED_NODE = "volume.kubernetes.io/selected-node";
const OLD_CLASS = "volume.beta.kubernetes.io/storage-class";

/** The name of the storage class of a claim or volume; empty for none. */
export function classOf({ metadata, spec }: PersistentVolumeClaim | PersistentVolume): string {
  return metadata.annotations?.[OLD_CLASS] ?? spec?.storageClassName ?? "";
}

/** Whether the claim has its volume for good; one that only names a volume is still waiting for it. */
export function isBound({ metadata, spec, status }: PersistentVolumeClaim): boolean {
  if (!spec?.volumeName) return false;
  return metadata.annotations?.[BIND_COMPLETED] !== undefined || status?.phase === "Bound";
}
