import type {
  PersistentVolumeClaimSpec,
  PersistentVolumeClaimTemplate,
  TypedObjectReference,
} from "#kube/generated/types";
import { parseQuantity } from "#kube/quantity";
import { forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { validateLabelSelector, validateLabels } from "../field/labels.ts";
import { validateAnnotations } from "../field/meta.ts";
import { labelProblems, subdomainProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

export const ACCESS_MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
export const VOLUME_MODES = ["Block", "Filesystem"];

/** A claim that is made from a template: of metadata, only labels and annotations count. */
export function validateClaimTemplate(
  path: string,
  { metadata, spec }: PersistentVolumeClaimTemplate,
): readonly FieldError[] {
  const { labels, annotations, ...rest } = metadata ?? {};
  const set = Object.entries(rest).filter(([, value]) => value !== undefined && value !== null);
  return [
    ...validateAnnotations(`${path}.metadata.annotations`, annotations),
    ...validateLabels(`${path}.metadata.labels`, labels),
    ...set.map(([field]) => forbidden(`${path}.metadata.${field}`, "cannot be set")),
    ...validateClaimSpec(`${path}.spec`, spec ?? {}),
  ];
}

/** @see ValidatePersistentVolumeClaimSpec in kubernetes pkg/apis/core/validation */
export function validateClaimSpec(path: string, spec: PersistentVolumeClaimSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!spec.accessModes?.length)
    errors.push(required(`${path}.accessModes`, "at least 1 access mode is required"));
  errors.push(
    ...validateLabelSelector(`${path}.selector`, spec.selector),
    ...validateAccessModes(`${path}.accessModes`, spec.accessModes),
    ...validateSize(`${path}.resources[storage]`, spec.resources?.requests?.["storage"]),
    ...validateClassName(`${path}.storageClassName`, spec.storageClassName),
  );
  if (spec.volumeMode !== undefined && !VOLUME_MODES.includes(spec.volumeMode))
    errors.push(notSupported(`${path}.volumeMode`, spec.volumeMode, VOLUME_MODES));
  return [
    ...errors,
    ...validateDataSources(path, spec),
    ...validateClassName(`${path}.volumeAttributesClassName`, spec.volumeAttributesClassName),
  ];
}

export function validateAccessModes(path: string, modes: readonly string[] = []): readonly FieldError[] {
  const errors = modes
    .filter((mode) => !ACCESS_MODES.includes(mode))
    .map((mode) => notSupported(path, mode, ACCESS_MODES));
  const known = modes.filter((mode) => ACCESS_MODES.includes(mode));
  if (known.includes("ReadWriteOncePod") && known.some((mode) => mode !== "ReadWriteOncePod"))
    errors.push(forbidden(path, "may not use ReadWriteOncePod with other access modes"));
  return errors;
}

export function validateClassName(path: string, name: string | undefined): readonly FieldError[] {
  return name ? problems(path, name, subdomainProblems(name)) : [];
}

function validateSize(path: string, size: string | number | undefined): readonly FieldError[] {
  if (size === undefined) return [required(path)];
  const nanos = parseQuantity(String(size))?.nanos ?? 0n;
  return nanos > 0n ? [] : [invalid(path, String(size), "must be greater than zero")];
}

function validateDataSources(path: string, spec: PersistentVolumeClaimSpec): readonly FieldError[] {
  const { dataSource, dataSourceRef } = spec;
  const errors = [
    ...validateDataSource(`${path}.dataSource`, dataSource),
    ...validateDataSource(`${path}.dataSourceRef`, dataSourceRef),
  ];
  if (dataSource === undefined || dataSourceRef === undefined) return errors;
  const at = `${path}.dataSource`;
  if (dataSourceRef.namespace)
    errors.push(invalid(path, at, "may not be specified when dataSourceRef.namespace is specified"));
  else if (
    dataSource.apiGroup !== dataSourceRef.apiGroup ||
    dataSource.kind !== dataSourceRef.kind ||
    dataSource.name !== dataSourceRef.name
  )
    errors.push(invalid(path, at, "must match dataSourceRef"));
  return errors;
}

function validateDataSource(path: string, source: TypedObjectReference | undefined): readonly FieldError[] {
  if (source === undefined) return [];
  const { name, kind, apiGroup = "", namespace } = source;
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  if (!kind) errors.push(required(`${path}.kind`));
  if (apiGroup === "" && kind !== "PersistentVolumeClaim")
    errors.push(invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  if (apiGroup !== "") errors.push(...problems(`${path}.apiGroup`, apiGroup, subdomainProblems(apiGroup)));
  if (namespace) errors.push(...problems(`${path}.namespace`, namespace, labelProblems(namespace)));
  return errors;
}
