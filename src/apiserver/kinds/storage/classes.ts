import type { PriorityClass, StorageClass } from "#kube/generated/types";
import { PRIORITY_CLASSES, STORAGE_CLASSES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { forbidden, required } from "../field/error.ts";
import type { KindSpec } from "../kind.ts";
import { ageColumn, count, flag, nameColumn, printer, text, wide } from "../print/printer.ts";

const IS_DEFAULT = "storageclass.kubernetes.io/is-default-class";

export const storageClasses: KindSpec<StorageClass> = kindSpec<StorageClass>({
  resource: STORAGE_CLASSES,
  definition: "io.k8s.api.storage.v1.StorageClass",
  shortNames: ["sc"],
  deleteReturnsObject: true,
  defaults: (draft) => {
    draft.reclaimPolicy ||= "Delete";
    draft.volumeBindingMode ||= "Immediate";
  },
  validate: (object) => (object.provisioner ? [] : [required("provisioner")]),
  validateUpdate: (object, stored) =>
    (["provisioner", "reclaimPolicy", "parameters"] as const)
      .filter((field) => JSON.stringify(object[field]) !== JSON.stringify(stored[field]))
      .map((field) => forbidden(field, `updates to ${field} are forbidden.`)),
  ...printer<StorageClass>([
    { ...nameColumn, cell: displayName },
    text("Provisioner", ({ provisioner }) => provisioner),
    text("ReclaimPolicy", ({ reclaimPolicy }) => reclaimPolicy ?? "Delete"),
    text("VolumeBindingMode", ({ volumeBindingMode }) => volumeBindingMode ?? "<unset>"),
    flag("AllowVolumeExpansion", ({ allowVolumeExpansion }) => allowVolumeExpansion),
    ageColumn,
  ]),
});

export const priorityClasses: KindSpec<PriorityClass> = kindSpec<PriorityClass>({
  resource: PRIORITY_CLASSES,
  definition: "io.k8s.api.scheduling.v1.PriorityClass",
  shortNames: ["pc"],
  generation: "none",
  defaults: (draft) => {
    draft.preemptionPolicy ||= "PreemptLowerPriority";
    draft.value ??= 0;
  },
  prepareCreate: (draft) => {
    draft.metadata.generation = 1;
  },
  validate: validatePriorityClass,
  validateUpdate: (object, stored) =>
    object.value === stored.value ? [] : [forbidden("value", "may not be changed in an update.")],
  ...printer<PriorityClass>([
    nameColumn,
    count("Value", ({ value }) => value),
    flag("Global-Default", ({ globalDefault }) => globalDefault),
    ageColumn,
    wide("PreemptionPolicy", ({ preemptionPolicy }) => preemptionPolicy ?? ""),
  ]),
});

/** No user's class may outrank the two system classes. */
const USER_MAX = 1_000_000_000;
const SYSTEM = ["system-node-critical", "system-cluster-critical"];

function validatePriorityClass({ metadata, value }: PriorityClass) {
  if (metadata.name.startsWith("system-") && !SYSTEM.includes(metadata.name))
    return [
      forbidden(
        "metadata.name",
        "priority class names with 'system-' prefix are reserved for system use only. error: only system priority classes are allowed to start with 'system-'",
      ),
    ];
  if (!metadata.name.startsWith("system-") && (value ?? 0) > USER_MAX)
    return [forbidden("value", `maximum allowed value of a user defined priority is ${USER_MAX}`)];
  return [];
}

function displayName({ metadata }: StorageClass): string {
  return metadata.annotations?.[IS_DEFAULT] === "true" ? `${metadata.name} (default)` : metadata.name;
}
