import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from "#kube/generated/types";
import { sameJson } from "../json.ts";
import { IMMUTABLE, invalid, notSupported, required } from "../kinds/field/error.ts";
import { label1035Problems, subdomainProblems } from "../kinds/field/names.ts";
import type { FieldError } from "../kinds/kind.ts";
import { approvalErrors } from "./approval.ts";
import { bundleProblem } from "./bundle.ts";
import { isTrue } from "./conditions.ts";
import { conversionErrors } from "./conversion-check.ts";
import { namesErrors } from "./names-check.ts";
import { versionErrors } from "./version-check.ts";

/** What is wrong with a new definition. @see apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go */
export function definitionErrors(definition: CustomResourceDefinition): readonly FieldError[] {
  const { metadata, spec } = definition;
  const wanted = `${spec.names?.plural ?? ""}.${spec.group}`;
  const errors: FieldError[] = [];
  if (metadata.name !== wanted)
    errors.push(invalid("metadata.name", metadata.name, 'must be spec.names.plural+"."+spec.group'));
  return [
    ...errors,
    ...specErrors(definition, undefined),
    ...statusErrors(definition),
    ...approvalErrors(definition, undefined),
    ...preserveErrors(definition, undefined),
  ];
}

/** What an update may not make of a definition. */
export function definitionUpdateErrors(
  definition: CustomResourceDefinition,
  stored: CustomResourceDefinition,
): readonly FieldError[] {
  const { spec } = definition;
  const fixed = (path: string, value: unknown, was: unknown) =>
    sameJson(value, was) ? [] : [invalid(path, value, IMMUTABLE)];
  // The names of objects that may exist by now.
  const established = isTrue(stored, "Established")
    ? [
        ...fixed("spec.scope", spec.scope, stored.spec.scope),
        ...fixed("spec.names.kind", spec.names.kind, stored.spec.names.kind),
      ]
    : [];
  return [
    ...specErrors(definition, stored),
    ...established,
    ...fixed("spec.group", spec.group, stored.spec.group),
    ...fixed("spec.names.plural", spec.names.plural, stored.spec.names.plural),
    ...statusErrors(definition),
    ...approvalErrors(definition, stored),
    ...preserveErrors(definition, stored),
  ];
}

/** What is wrong with what a definition says it is known as, and is stored in. */
export function statusErrors({ spec, status }: CustomResourceDefinition): readonly FieldError[] {
  const names = status?.acceptedNames;
  const stored = status?.storedVersions ?? [];
  const path = "status.storedVersions";
  const errors = names === undefined ? [] : [...namesErrors("status.acceptedNames", names)];
  if (stored.length === 0) return [...errors, invalid(path, stored, "must have at least one stored version")];
  const versions = spec.versions ?? [];
  for (const { name, storage } of versions)
    if (storage && !stored.includes(name))
      errors.push(invalid(path, stored, `must have the storage version ${name}`));
  for (const [i, name] of stored.entries())
    if (!versions.some((version) => version.name === name))
      errors.push(
        invalid(
          `${path}[${i}]`,
          name,
          `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
        ),
      );
  return errors;
}

function specErrors(
  { spec }: CustomResourceDefinition,
  stored: CustomResourceDefinition | undefined,
): FieldError[] {
  const errors = [...groupErrors(spec.group ?? ""), ...scopeErrors(spec.scope ?? "")];
  const versions = spec.versions ?? [];
  for (const [i, { schema }] of versions.entries())
    if (schema?.openAPIV3Schema === undefined)
      errors.push(required(`spec.versions[${i}].schema.openAPIV3Schema`));
  for (const [i, version] of versions.entries()) {
    for (const why of label1035Problems(version.name ?? ""))
      errors.push(invalid(`spec.versions[${i}].name`, version.name, why));
    const before = stored?.spec.versions.find(({ name }) => name === version.name);
    // A schema that was let through stays, whatever has been learned since: only what changes is looked at again.
    if (!sameJson(before, version)) errors.push(...versionErrors(`spec.versions[${i}]`, version));
  }
  return [
    ...errors,
    ...listErrors(versions),
    ...requiredNames(spec.names),
    ...namesErrors("spec.names", spec.names),
    ...conversionErrors("spec.conversion", spec.conversion, {
      mayHaveBadBundle: stored === undefined || !isTrue(stored, "Established") || hasBadBundle(stored),
    }),
  ];
}

function groupErrors(group: string): FieldError[] {
  if (group === "") return [required("spec.group")];
  const problems = subdomainProblems(group);
  if (problems.length > 0) return [invalid("spec.group", group, problems.join(","))];
  return group.includes(".")
    ? []
    : [invalid("spec.group", group, "should be a domain with at least one dot")];
}

function scopeErrors(scope: string): FieldError[] {
  if (scope === "") return [required("spec.scope")];
  const scopes = ["Cluster", "Namespaced"];
  return scopes.includes(scope) ? [] : [notSupported("spec.scope", scope, scopes)];
}

function listErrors(versions: readonly CustomResourceDefinitionVersion[]): FieldError[] {
  const names = versions.map(({ name }) => name);
  const errors: FieldError[] = [];
  const refuse = (detail: string) =>
    errors.push({ type: "Invalid", path: "spec.versions", value: versions, detail });
  if (new Set(names).size < names.length) refuse("must contain unique version names");
  if (versions.filter(({ storage }) => storage).length !== 1)
    refuse("must have exactly one version marked as storage version");
  return errors;
}

function requiredNames(names: CustomResourceDefinition["spec"]["names"] | undefined): FieldError[] {
  const wanted = ["plural", "singular", "kind", "listKind"] as const;
  return wanted.filter((field) => !names?.[field]).map((field) => required(`spec.names.${field}`));
}

function preserveErrors(
  { spec }: CustomResourceDefinition,
  stored: CustomResourceDefinition | undefined,
): FieldError[] {
  if (!spec.preserveUnknownFields || stored?.spec.preserveUnknownFields) return [];
  return [
    invalid(
      "spec.preserveUnknownFields",
      true,
      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
    ),
  ];
}

function hasBadBundle({ spec }: CustomResourceDefinition): boolean {
  const bundle = spec.conversion?.webhook?.clientConfig?.caBundle;
  return bundle !== undefined && bundleProblem(bundle) !== undefined;
}
