import type { PersistentVolume, PersistentVolumeClaim } from "#kube/generated/types";
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from "#kube/resources";
import { formatTime } from "../../verbs/metadata.ts";
import { kindSpec } from "../base.ts";
import type { Draft, KindSpec, WriteContext } from "../kind.ts";
import { SOURCE_DEFAULTS } from "../pod/defaults.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { validateClaim, validateClaimStatus, validateClaimUpdate } from "./claim-rules.ts";
import { validateVolume, validateVolumeUpdate } from "./volume-rules.ts";

const SHORT_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

/** Bound, protected and released by the controllers. */
export const persistentVolumes: KindSpec<PersistentVolume> = kindSpec<PersistentVolume>({
  resource: PERSISTENT_VOLUMES,
  definition: "io.k8s.api.core.v1.PersistentVolume",
  shortNames: ["pv"],
  hasStatus: true,
  deleteReturnsObject: true,
  defaults: defaultVolume,
  prepareCreate: (draft, { clock }) => {
    draft.status = { phase: "Pending", lastPhaseTransitionTime: formatTime(clock.now()) };
    protect(draft, "kubernetes.io/pv-protection");
  },
  prepareStatus: timePhase,
  validate: validateVolume,
  validateUpdate: validateVolumeUpdate,
  selectableFields: ({ metadata }) => ({ name: metadata.name }),
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

/** Bound, protected and released by the controllers. */
export const persistentVolumeClaims: KindSpec<PersistentVolumeClaim> = kindSpec<PersistentVolumeClaim>({
  resource: PERSISTENT_VOLUME_CLAIMS,
  definition: "io.k8s.api.core.v1.PersistentVolumeClaim",
  shortNames: ["pvc"],
  hasStatus: true,
  deleteReturnsObject: true,
  defaults: defaultClaim,
  prepareCreate: (draft) => {
    draft.status = { phase: "Pending" };
    protect(draft, "kubernetes.io/pvc-protection");
  },
  validate: validateClaim,
  validateUpdate: validateClaimUpdate,
  validatePart: (_part, claim) => validateClaimStatus(claim),
  selectableFields: ({ metadata }) => ({ name: metadata.name }),
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

/** Held from the start by the controller that knows when it is in use. */
function protect({ metadata }: Draft, finalizer: string): void {
  if (!metadata.finalizers?.includes(finalizer))
    metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
}

/** When the phase changed is now, unless the caller says when. */
function timePhase({ status }: Draft, { status: before }: PersistentVolume, { clock }: WriteContext): void {
  const field = "lastPhaseTransitionTime";
  if (status.phase === before?.phase) status[field] ??= before?.[field];
  else if (!status[field] || status[field] === before?.[field]) status[field] = formatTime(clock.now());
  if (status[field] === undefined) delete status[field];
}

function defaultPhase(draft: Draft): void {
  draft.status ??= {};
  draft.status.phase ||= "Pending";
}

function defaultVolume(draft: Draft): void {
  defaultPhase(draft);
  draft.spec ??= {};
  const { spec } = draft;
  spec.persistentVolumeReclaimPolicy ||= "Retain";
  spec.volumeMode ??= "Filesystem";
  if (spec.hostPath) spec.hostPath.type ??= "";
  for (const [name, values] of Object.entries(SOURCE_DEFAULTS)) {
    const source = spec[name];
    if (source) for (const [field, value] of Object.entries(values)) source[field] ??= value;
  }
}

/** Where a claim's data comes from has two spellings. */
function defaultClaim(draft: Draft): void {
  defaultPhase(draft);
  draft.spec ??= {};
  const { spec } = draft;
  spec.volumeMode ??= "Filesystem";
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace)
    spec.dataSource = { ...spec.dataSourceRef };
}

function phaseOf(object: PersistentVolume | PersistentVolumeClaim): string {
  return object.metadata.deletionTimestamp === undefined ? (object.status?.phase ?? "") : "Terminating";
}

function modes(accessModes: readonly string[] | undefined): string {
  return (accessModes ?? []).map((mode) => SHORT_MODES[mode] ?? mode).join(",");
}
