import type { PersistentVolume, PersistentVolumeSpec } from "#kube/generated/types";
import { parseQuantity } from "#kube/quantity";
import { forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { sortedMap } from "../field/labels.ts";
import { labelProblems, subdomainProblems } from "../field/names.ts";
import { immutableField, sameJson } from "../field/same.ts";
import type { FieldError } from "../kind.ts";
import { validateNodeSelector } from "../pod/node-selector-validation.ts";
import { validateVolumeSource } from "../pod/volume-sources.ts";
import { VOLUME_MODES, validateAccessModes, validateClassName } from "./claim-validation.ts";

const RECLAIM_POLICIES = ["Delete", "Recycle", "Retain"];
/** In the order in which a second one is refused. */
const SOURCES = [
  "hostPath",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "glusterfs",
  "flocker",
  "nfs",
  "rbd",
  "quobyte",
  "cephfs",
  "iscsi",
  "cinder",
  "fc",
  "flexVolume",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "scaleIO",
  "local",
  "storageos",
  "csi",
] as const;

/** @see ValidatePersistentVolumeSpec in kubernetes pkg/apis/core/validation */
export function validateVolume({ spec }: PersistentVolume): readonly FieldError[] {
  if (spec === undefined) return [required("spec.accessModes"), required("spec.capacity")];
  const errors: FieldError[] = [];
  if (!spec.accessModes?.length) errors.push(required("spec.accessModes"));
  errors.push(...validateAccessModes("spec.accessModes", spec.accessModes), ...validateCapacity(spec));
  const policy = spec.persistentVolumeReclaimPolicy ?? "";
  if (policy !== "" && !RECLAIM_POLICIES.includes(policy))
    errors.push(notSupported("spec.persistentVolumeReclaimPolicy", policy, RECLAIM_POLICIES));
  errors.push(...validateAffinity(spec), ...validateSource(spec));
  if (spec.hostPath?.path === "/" && policy === "Recycle")
    errors.push(
      forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"),
    );
  errors.push(...validateClassName("spec.storageClassName", spec.storageClassName));
  if (spec.volumeMode !== undefined && !VOLUME_MODES.includes(spec.volumeMode))
    errors.push(notSupported("spec.volumeMode", spec.volumeMode, VOLUME_MODES));
  return [...errors, ...validateAttributes(spec)];
}

function validateCapacity({ capacity: given }: PersistentVolumeSpec): readonly FieldError[] {
  const capacity = given ?? {};
  const path = "spec.capacity";
  const names = Object.keys(capacity);
  const errors = names.length === 0 ? [required(path)] : [];
  if (capacity["storage"] === undefined || names.length > 1)
    errors.push(notSupported(path, given === undefined ? null : sortedMap(capacity), ["storage"]));
  for (const [name, text] of Object.entries(capacity))
    if ((parseQuantity(String(text))?.nanos ?? 0n) <= 0n)
      errors.push(invalid(`${path}[${name}]`, String(text), "must be greater than zero"));
  return errors;
}

function validateAffinity({ nodeAffinity, local }: PersistentVolumeSpec): readonly FieldError[] {
  const path = "spec.nodeAffinity";
  if (nodeAffinity === undefined)
    return local === undefined ? [] : [required(path, "Local volume requires node affinity")];
  return nodeAffinity.required === undefined
    ? [required(`${path}.required`, "must specify required node constraints")]
    : validateNodeSelector(`${path}.required`, nodeAffinity.required);
}

function validateSource(spec: PersistentVolumeSpec): readonly FieldError[] {
  const [first, ...more] = SOURCES.filter((type) => spec[type] !== undefined);
  if (first === undefined) return [required("spec", "must specify a volume type")];
  return [
    ...validateVolumeSource("spec", first, spec),
    ...(first === "csi" ? validateCsi(spec) : []),
    ...more.map((type) =>
      forbidden(`spec.${type === "cephfs" ? "cephFS" : type}`, "may not specify more than 1 volume type"),
    ),
  ];
}

const CSI_SECRETS = [
  "controllerPublishSecretRef",
  "controllerExpandSecretRef",
  "nodePublishSecretRef",
  "nodeExpandSecretRef",
] as const;

function validateCsi({ csi }: PersistentVolumeSpec): readonly FieldError[] {
  const errors = csi?.volumeHandle ? [] : [required("spec.csi.volumeHandle")];
  for (const field of CSI_SECRETS) {
    const secret = csi?.[field];
    if (secret === undefined) continue;
    const { name = "", namespace = "" } = secret;
    const at = `spec.csi.${field}`;
    errors.push(
      ...(name === "" ? [required(`${at}.name`)] : problems(`${at}.name`, name, subdomainProblems(name))),
      ...(namespace === ""
        ? [required(`${at}.namespace`)]
        : problems(`${at}.namespace`, namespace, labelProblems(namespace))),
    );
  }
  return errors;
}

function validateAttributes({ volumeAttributesClassName: name, csi }: PersistentVolumeSpec) {
  if (name === undefined) return [];
  const path = "spec.volumeAttributesClassName";
  return [
    ...(name === "" ? [required(path, "an empty string is disallowed")] : validateClassName(path, name)),
    ...(csi === undefined
      ? [required("spec.csi", "has to be specified when using volumeAttributesClassName")]
      : []),
  ];
}

/** Where the bytes are never changes; only what drivers may be told later does. */
export function validateVolumeUpdate(
  { spec }: PersistentVolume,
  { spec: before }: PersistentVolume,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!sameJson(sourceOf(spec, before), sourceOf(before, before)))
    errors.push(
      forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"),
    );
  errors.push(...immutableField("volumeMode", spec?.volumeMode, before?.volumeMode));
  if (before?.nodeAffinity !== undefined)
    errors.push(...immutableField("nodeAffinity", spec?.nodeAffinity, before.nodeAffinity));
  if (before?.volumeAttributesClassName !== undefined && spec?.volumeAttributesClassName === undefined)
    errors.push(forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden"));
  return errors;
}

function sourceOf(spec: PersistentVolumeSpec | undefined, before: PersistentVolumeSpec | undefined): unknown {
  const source = Object.fromEntries(SOURCES.map((type) => [type, spec?.[type]]));
  if (spec?.csi !== undefined && before?.csi?.controllerExpandSecretRef === undefined) {
    const { controllerExpandSecretRef: _, ...csi } = spec.csi;
    source["csi"] = csi as never;
  }
  return JSON.parse(JSON.stringify(source));
}
