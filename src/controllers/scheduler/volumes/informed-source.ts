import type { CSIDriver, CSINode, CSIStorageCapacity } from "#kube/generated/types";
import { openInformer } from "#kube/open-informer";
import { CSI_DRIVERS, CSI_NODES, CSI_STORAGE_CAPACITIES } from "#kube/resources";
import type { ControllerContext } from "../../context.ts";
import { BY_CLASS } from "../../informers.ts";
import type { VolumeSource } from "./volume-source.ts";

export interface InformedSource extends VolumeSource {
  /** Resolves when all of it is known; rejects when aborted first. */
  readonly synced: Promise<unknown>;
  /** Tells of changes in what drivers say of nodes. */
  subscribe(listener: (nodeName: string) => void): void;
}

/** Storage as the local copies have it: those all controllers share, and what only the scheduler asks about drivers. */
export function informedSource(context: ControllerContext): InformedSource {
  const { client, clock, log, signal, random } = context;
  const { claims, persistentVolumes, storageClasses } = context.informers;
  const shared = { clock, log, signal, random };
  const nodes = openInformer<CSINode>(client, CSI_NODES, shared);
  const drivers = openInformer<CSIDriver>(client, CSI_DRIVERS, shared);
  const capacities = openInformer<CSIStorageCapacity>(client, CSI_STORAGE_CAPACITIES, {
    ...shared,
    indexes: { [BY_CLASS]: ({ storageClassName }) => [storageClassName] },
  });
  return {
    claim: (key) => claims.get(key),
    volume: (name) => (name === "" ? undefined : persistentVolumes.get(name)),
    volumesOfClass: (name) => persistentVolumes.byIndex(BY_CLASS, name),
    storageClass: (name) => (name === "" ? undefined : storageClasses.get(name)),
    csiNode: (name) => nodes.get(name),
    capacities: ({ metadata, provisioner }) =>
      drivers.get(provisioner)?.spec.storageCapacity
        ? capacities.byIndex(BY_CLASS, metadata.name)
        : undefined,
    synced: Promise.all([nodes.synced, drivers.synced, capacities.synced]),
    subscribe: (listener) => {
      nodes.subscribe(({ key }) => listener(key));
      drivers.subscribe(() => listener(""));
      capacities.subscribe(() => listener(""));
    },
  };
}
