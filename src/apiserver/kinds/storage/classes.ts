import type { PriorityClass, StorageClass } from "#kube/generated/types";
import { PRIORITY_CLASSES, STORAGE_CLASSES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import {
  duplicate,
  forbidden,
  IMMUTABLE,
  invalid,
  notSupported,
  problems,
  required,
} from "../field/error.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import { immutableField, sameJson } from "../field/same.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, count, flag, nameColumn, printer, text } from "../print/printer.ts";
import { validateParameters } from "./parameters.ts";

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
  validate: validateStorageClass,
  validateUpdate: (object, stored) => [
    ...(["parameters", "provisioner", "reclaimPolicy"] as const)
      .filter((field) => !sameJson(object[field], stored[field]))
      .map((field) => forbidden(field, `updates to ${field} are forbidden.`)),
    ...immutableField("volumeBindingMode", object.volumeBindingMode, stored.volumeBindingMode),
  ],
  ...printer<StorageClass>([
    { ...nameColumn, cell: displayName },
    text("Provisioner", ({ provisioner }) => provisioner),
    text("ReclaimPolicy", ({ reclaimPolicy }) => reclaimPolicy ?? "Delete"),
    text("VolumeBindingMode", ({ volumeBindingMode }) => volumeBindingMode ?? "<unset>"),
    {
      ...flag<StorageClass>("AllowVolumeExpansion", ({ allowVolumeExpansion }) => allowVolumeExpansion),
      type: "string",
    },
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
  validateCreate: validatePriorityClass,
  validateUpdate: (object, stored) => [
    ...(object.value === stored.value ? [] : [forbidden("value", "may not be changed in an update.")]),
    ...(object.preemptionPolicy === stored.preemptionPolicy
      ? []
      : [invalid("preemptionPolicy", object.preemptionPolicy, IMMUTABLE)]),
  ],
  ...printer<PriorityClass>([
    nameColumn,
    count("Value", ({ value }) => value),
    flag("Global-Default", ({ globalDefault }) => globalDefault),
    ageColumn,
    text("PreemptionPolicy", ({ preemptionPolicy }) => preemptionPolicy ?? ""),
  ]),
});

const RECLAIM_POLICIES = ["Delete", "Retain"];
const BINDING_MODES = ["Immediate", "WaitForFirstConsumer"];

function validateStorageClass(object: StorageClass): readonly FieldError[] {
  const { provisioner, reclaimPolicy = "", volumeBindingMode, parameters, allowedTopologies = [] } = object;
  const errors: FieldError[] = provisioner
    ? [...problems("provisioner", provisioner, qualifiedNameProblems(provisioner.toLowerCase()))]
    : [required("provisioner")];
  errors.push(...validateParameters("parameters", parameters));
  if (!RECLAIM_POLICIES.includes(reclaimPolicy))
    errors.push(notSupported("reclaimPolicy", reclaimPolicy, RECLAIM_POLICIES));
  if (volumeBindingMode === undefined) errors.push(required("volumeBindingMode"));
  else if (!BINDING_MODES.includes(volumeBindingMode))
    errors.push(notSupported("volumeBindingMode", volumeBindingMode, BINDING_MODES));
  allowedTopologies.forEach((term, i) => {
    errors.push(...validateTopology(`allowedTopologies[${i}]`, term));
  });
  return errors;
}

type TopologyTerm = NonNullable<StorageClass["allowedTopologies"]>[number];

function validateTopology(path: string, { matchLabelExpressions = [] }: TopologyTerm): readonly FieldError[] {
  const keys = new Set<string>();
  return matchLabelExpressions.flatMap(({ key, values = [] }, i) => {
    const at = `${path}.matchLabelExpressions[${i}]`;
    const errors = values.length === 0 ? [required(`${at}.values`)] : [];
    values.forEach((value, j) => {
      if (values.indexOf(value) < j) errors.push(duplicate(`${at}.values[${j}]`, value));
    });
    errors.push(...problems(`${at}.key`, key, qualifiedNameProblems(key)));
    if (keys.has(key)) errors.push(duplicate(`${at}.key`, key));
    keys.add(key);
    return errors;
  });
}

/** No user's class may outrank the two system classes. */
const USER_MAX = 1_000_000_000;
const PREEMPTION_POLICIES = ["PreemptLowerPriority", "Never"];
const SYSTEM: Readonly<Record<string, number>> = {
  "system-node-critical": 2_000_001_000,
  "system-cluster-critical": 2_000_000_000,
};

function validatePriorityClass(object: PriorityClass): readonly FieldError[] {
  const { metadata, value, preemptionPolicy = "", globalDefault } = object;
  const unknown = PREEMPTION_POLICIES.includes(preemptionPolicy)
    ? []
    : [notSupported("preemptionPolicy", preemptionPolicy, PREEMPTION_POLICIES)];
  return [...validateRank(metadata.name, value ?? 0, globalDefault === true), ...unknown];
}

function validateRank(name: string, value: number, isDefault: boolean): readonly FieldError[] {
  if (!name.startsWith("system-"))
    return value > USER_MAX
      ? [forbidden("value", `maximum allowed value of a user defined priority is ${USER_MAX}`)]
      : [];
  const known = SYSTEM[name];
  const reserved = "priority class names with 'system-' prefix are reserved for system use only. error: ";
  const refuse = (why: string) => [forbidden("metadata.name", reserved + why)];
  if (known === undefined) return refuse(`${name} is not a known system priority class`);
  if (value !== known) return refuse(`value of ${name} PriorityClass must be ${known}`);
  return isDefault ? refuse(`globalDefault of ${name} PriorityClass must be false`) : [];
}

function displayName({ metadata }: StorageClass): string {
  return metadata.annotations?.[IS_DEFAULT] === "true" ? `${metadata.name} (default)` : metadata.name;
}
