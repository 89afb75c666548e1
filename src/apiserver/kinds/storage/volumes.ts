import type { PersistentVolume, PersistentVolumeClaim } from "#kube/generated/types";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { required } from "../field/error.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";

const SHORT_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

/** Stored and returned; nothing binds them yet. */
export const persistentVolumes: KindSpec<PersistentVolume> = kindSpec<PersistentVolume>({
  resource: PERSISTENT_VOLUMES,
  definition: "io.k8s.api.core.v1.PersistentVolume",
  shortNames: ["pv"],
  hasStatus: true,
  deleteReturnsObject: true,
  defaults: (draft) => {
    draft.spec ??= {};
    draft.spec.persistentVolumeReclaimPolicy ||= "Retain";
    draft.spec.volumeMode ||= "Filesystem";
  },
  prepareCreate: (draft) => {
    draft.status = { phase: "Pending" };
  },
  validate: validateVolume,
  ...printer<PersistentVolume>([
    nameColumn,
    text("Capacity", ({ spec }) => String(spec?.capacity?.["storage"] ?? "")),
    text("Access Modes", ({ spec }) => modes(spec?.accessModes)),
    text("Reclaim Policy", ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ""),
    text("Status", phaseOf),
    text("Claim", ({ spec }) =>
      spec?.claimRef ? `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}` : "",
    ),
    text("StorageClass", ({ spec }) => spec?.storageClassName ?? ""),
    text("VolumeAttributesClass", ({ spec }) => spec?.volumeAttributesClassName ?? "<unset>"),
    text("Reason", ({ status }) => status?.reason ?? ""),
    ageColumn,
    wide("VolumeMode", ({ spec }) => spec?.volumeMode ?? "<unset>"),
  ]),
});

/** Stored and returned; nothing binds them yet. */
export const persistentVolumeClaims: KindSpec<PersistentVolumeClaim> = kindSpec<PersistentVolumeClaim>({
  resource: PERSISTENT_VOLUME_CLAIMS,
  definition: "io.k8s.api.core.v1.PersistentVolumeClaim",
  shortNames: ["pvc"],
  hasStatus: true,
  deleteReturnsObject: true,
  defaults: (draft) => {
    draft.spec ??= {};
    draft.spec.volumeMode ||= "Filesystem";
  },
  prepareCreate: (draft) => {
    draft.status = { phase: "Pending" };
  },
  validate: validateClaim,
  ...printer<PersistentVolumeClaim>([
    nameColumn,
    text("Status", phaseOf),
    text("Volume", ({ spec }) => spec?.volumeName ?? ""),
    text("Capacity", ({ spec, status }) =>
      spec?.volumeName ? String(status?.capacity?.["storage"] ?? "") : "",
    ),
    text("Access Modes", ({ spec, status }) => (spec?.volumeName ? modes(status?.accessModes) : "")),
    text("StorageClass", ({ spec }) => spec?.storageClassName ?? ""),
    text("VolumeAttributesClass", ({ spec }) => spec?.volumeAttributesClassName ?? "<unset>"),
    ageColumn,
    wide("VolumeMode", ({ spec }) => spec?.volumeMode ?? "<unset>"),
  ]),
});

function phaseOf(object: PersistentVolume | PersistentVolumeClaim): string {
  return object.metadata.deletionTimestamp === undefined ? (object.status?.phase ?? "") : "Terminating";
}

function modes(accessModes: readonly string[] | undefined): string {
  return (accessModes ?? []).map((mode) => SHORT_MODES[mode] ?? mode).join(",");
}

function validateVolume({ spec }: PersistentVolume): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!spec?.accessModes?.length) errors.push(required("spec.accessModes"));
  if (spec?.capacity?.["storage"] === undefined) errors.push(required("spec.capacity"));
  return errors;
}

function validateClaim({ spec }: PersistentVolumeClaim): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!spec?.accessModes?.length)
    errors.push(required("spec.accessModes", "at least 1 access mode is required"));
  if (spec?.resources?.requests?.["storage"] === undefined) errors.push(required("spec.resources[storage]"));
  return errors;
}
