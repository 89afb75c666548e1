import type { ObjectMeta, OwnerReference } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import type { FieldError, KindSpec } from "../kind.ts";
import { ipProblems } from "./addresses.ts";
import { forbidden, invalid, required, tooLong } from "./error.ts";
import { validateLabels } from "./labels.ts";
import { labelProblems, pathSegmentProblems, qualifiedNameProblems, subdomainProblems } from "./names.ts";
import { nonNegative } from "./numbers.ts";

/** All keys and values of the annotations together. */
const MAX_ANNOTATION_BYTES = 256 * 1024;

/** `service` names have been labels since 1.36 (a leading digit is legal). */
const NAME_RULES: Readonly<Record<KindSpec["nameRule"], (name: string) => readonly string[]>> = {
  subdomain: subdomainProblems,
  label: labelProblems,
  service: labelProblems,
  "path-segment": pathSegmentProblems,
  ip: ipProblems,
  any: () => [],
};

/** What is wrong with the metadata of an object of this kind, name included (when it has one by now). */
export function validateMeta(spec: KindSpec, object: KubeObject): readonly FieldError[] {
  const { metadata } = object;
  return [
    ...(spec.nameRule === "any" && !metadata.name && !metadata.generateName
      ? []
      : validateName(spec, metadata)),
    ...nonNegative("metadata.generation", metadata.generation),
    ...validateLabels("metadata.labels", metadata.labels),
    ...validateAnnotations("metadata.annotations", metadata.annotations),
    ...(metadata.ownerReferences ?? []).flatMap((owner, i) =>
      validateOwner(`metadata.ownerReferences[${i}]`, owner),
    ),
    ...validateControllers(metadata.ownerReferences ?? []),
    ...validateFinalizers(metadata.finalizers ?? [], {
      mayBeShort: spec.custom !== undefined || spec.deletion !== undefined,
    }),
  ];
}

/** What an update may not do to metadata beyond what `validateMeta` finds in the result. */
export function validateMetaUpdate(object: KubeObject, stored: KubeObject): readonly FieldError[] {
  if (stored.metadata.deletionTimestamp === undefined) return [];
  const had = stored.metadata.finalizers ?? [];
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !had.includes(finalizer));
  if (added.length === 0) return [];
  const list = [...added]
    .sort()
    .map((finalizer) => JSON.stringify(finalizer))
    .join(", ");
  return [
    forbidden(
      "metadata.finalizers",
      `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`,
    ),
  ];
}

function validateName(spec: KindSpec, metadata: ObjectMeta): readonly FieldError[] {
  const rule = NAME_RULES[spec.nameRule];
  const { name = "", generateName = "" } = metadata;
  // the generated part supplies the last character
  const ofBase = generateName === "" ? [] : rule(withLastLetter(generateName));
  const ofName = name === "" ? [] : rule(name);
  return [
    ...ofBase.map((why) => invalid("metadata.generateName", generateName, why)),
    ...ofName.map((why) => invalid("metadata.name", name, why)),
    ...(name === "" && generateName === ""
      ? [required("metadata.name", "name or generateName is required")]
      : []),
  ];
}

/** A dash at the end is no mistake in the beginning of a name. */
function withLastLetter(base: string): string {
  return base.length > 1 && base.endsWith("-") ? `${base.slice(0, -2)}a` : base;
}

export function validateAnnotations(
  path: string,
  annotations: Readonly<Record<string, string>> | undefined,
): readonly FieldError[] {
  const entries = Object.entries(annotations ?? {});
  const errors = entries.flatMap(([key]) =>
    qualifiedNameProblems(key.toLowerCase()).map((why) => invalid(path, key, why)),
  );
  const bytes = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return bytes > MAX_ANNOTATION_BYTES ? [...errors, tooLong(path, MAX_ANNOTATION_BYTES)] : errors;
}

function validateOwner(path: string, owner: OwnerReference): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!owner.apiVersion)
    errors.push(invalid(`${path}.apiVersion`, owner.apiVersion, "version must not be empty"));
  if (!owner.kind) errors.push(invalid(`${path}.kind`, owner.kind, "must not be empty"));
  if (!owner.name) errors.push(invalid(`${path}.name`, owner.name, "must not be empty"));
  if (!owner.uid) errors.push(invalid(`${path}.uid`, owner.uid, "must not be empty"));
  if (owner.apiVersion === "v1" && owner.kind === "Event")
    errors.push(invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"));
  return errors;
}

function validateControllers(owners: readonly OwnerReference[]): readonly FieldError[] {
  const names = owners
    .filter(({ controller }) => controller === true)
    .map(({ kind, name }) => `${kind}/${name}`);
  if (names.length < 2) return [];
  const detail = `Only one reference can have Controller set to true. Found "true" in references for ${names[0]} and ${names[1]}`;
  return [invalid("metadata.ownerReferences", owners, detail)];
}

const STANDARD_FINALIZERS = ["kubernetes", "orphan", "foregroundDeletion"];

/** A name without a domain is one of Kubernetes' own. */
export function validateFinalizerName(path: string, finalizer: string): readonly FieldError[] {
  if (finalizer.includes("/") || STANDARD_FINALIZERS.includes(finalizer)) return [];
  return [invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")];
}

function validateFinalizers(
  finalizers: readonly string[],
  // Custom resources and their definitions were there before the rule.
  { mayBeShort }: { readonly mayBeShort: boolean },
): readonly FieldError[] {
  const path = "metadata.finalizers";
  const errors = finalizers.flatMap((finalizer, i) => [
    ...qualifiedNameProblems(finalizer).map((why) => invalid(path, finalizer, why)),
    ...(mayBeShort ? [] : validateFinalizerName(`${path}[${i}]`, finalizer)),
  ]);
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion"))
    errors.push(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"));
  return errors;
}
