import type { CSIStorageCapacity } from "#kube/generated/types";
import { CSI_STORAGE_CAPACITIES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { problems } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { subdomainProblems } from "../field/names.ts";
import { validateAmount } from "../field/resources.ts";
import { immutableField } from "../field/same.ts";
import type { FieldError, KindSpec } from "../kind.ts";

export const csiStorageCapacities: KindSpec<CSIStorageCapacity> = kindSpec<CSIStorageCapacity>({
  resource: CSI_STORAGE_CAPACITIES,
  requiresVersion: true,
  definition: "io.k8s.api.storage.v1.CSIStorageCapacity",
  validate: validateCapacity,
  validateUpdate: (object, stored) => [
    ...immutableField("nodeTopology", object.nodeTopology, stored.nodeTopology),
    ...immutableField("storageClassName", object.storageClassName, stored.storageClassName),
  ],
});

function validateCapacity(object: CSIStorageCapacity): readonly FieldError[] {
  const { nodeTopology, storageClassName, capacity, maximumVolumeSize } = object;
  return [
    ...validateLabelSelector("nodeTopology", nodeTopology),
    ...problems("storageClassName", storageClassName, subdomainProblems(storageClassName)),
    ...(capacity === undefined ? [] : validateAmount("capacity", "storage", capacity)),
    ...(maximumVolumeSize === undefined
      ? []
      : validateAmount("maximumVolumeSize", "storage", maximumVolumeSize)),
  ];
}
