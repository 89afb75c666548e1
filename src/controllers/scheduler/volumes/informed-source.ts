import { BY_CLASS, type Informers } from "../../informers.ts";
import type { VolumeSource } from "./volume-source.ts";

/** Storage as the shared local copies have it. */
export function informedSource(informers: Informers): VolumeSource {
  const { claims, persistentVolumes, storageClasses } = informers;
  return {
    claim: (key) => claims.get(key),
    volume: (name) => (name === "" ? undefined : persistentVolumes.get(name)),
    volumesOfClass: (name) => persistentVolumes.byIndex(BY_CLASS, name),
    storageClass: (name) => (name === "" ? undefined : storageClasses.get(name)),
    csiNode: () => undefined,
    capacities: () => undefined,
  };
}
