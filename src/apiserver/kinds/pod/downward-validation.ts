import type {
  DownwardAPIVolumeFile,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from "#kube/generated/types";
import { canonicalQuantity } from "#kube/quantity";
import { invalid, notSupported, problems, required } from "../field/error.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import { between } from "../field/numbers.ts";
import { validateFilePath } from "../field/paths.ts";
import type { FieldError } from "../kind.ts";

/** What a variable may be told of its pod. */
export const ENV_FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
const FILE_FIELDS = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
];
const ALL_FIELDS = new Set([
  ...ENV_FIELDS,
  ...FILE_FIELDS,
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.phase",
]);
const SUBSCRIPT = /^(.*)\['(.*)'\]$/s;

export function validateFieldRef(
  path: string,
  { apiVersion = "", fieldPath }: ObjectFieldSelector,
  allowed: readonly string[],
): readonly FieldError[] {
  if (apiVersion === "") return [required(`${path}.apiVersion`)];
  if (!fieldPath) return [required(`${path}.fieldPath`)];
  const at = `${path}.fieldPath`;
  const cannot = (why: string) => [invalid(at, fieldPath, `error converting fieldPath: ${why}`)];
  if (apiVersion !== "v1") return cannot(`unsupported pod version: ${apiVersion}`);
  const [, mapPath, key = ""] = SUBSCRIPT.exec(fieldPath) ?? [];
  if (mapPath === undefined) {
    if (!ALL_FIELDS.has(fieldPath)) return cannot(`field label not supported: ${fieldPath}`);
    return allowed.includes(fieldPath) ? [] : [notSupported(at, fieldPath, allowed)];
  }
  if (mapPath !== "metadata.annotations" && mapPath !== "metadata.labels")
    return cannot(`field label does not support subscript: ${fieldPath}`);
  const name = mapPath === "metadata.annotations" ? key.toLowerCase() : key;
  return problems(path, name, qualifiedNameProblems(name));
}

const RESOURCES = ["limits", "requests"].flatMap((kind) =>
  ["cpu", "ephemeral-storage", "memory"].map((name) => `${kind}.${name}`),
);
const BYTE_DIVISORS = ["1", ..."kMGTPE".split("").flatMap((unit) => [`1${unit}`, `1${unit.toUpperCase()}i`])];
const BYTE_RULE = `only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the`;

/** `isFile`: no container of its own, so it must be named. */
export function validateResourceRef(
  path: string,
  { containerName = "", resource, divisor }: ResourceFieldSelector,
  { isFile }: { readonly isFile: boolean },
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const isHuge = /^(?:requests|limits)\.hugepages-/.test(resource);
  if (isFile && containerName === "") errors.push(required(`${path}.containerName`));
  else if (!resource) errors.push(required(`${path}.resource`));
  else if (!RESOURCES.includes(resource) && !isHuge)
    errors.push(notSupported(`${path}.resource`, resource, RESOURCES));
  const unit = canonicalQuantity(String(divisor ?? "0"));
  if (unit === "0" || !resource) return errors;
  const at = `${path}.divisor`;
  if (resource.endsWith(".cpu") && unit !== "1" && unit !== "1m")
    errors.push(invalid(at, resource, "only divisor's values 1m and 1 are supported with the cpu resource"));
  const what = resource.endsWith(".memory")
    ? "memory"
    : resource.endsWith(".ephemeral-storage")
      ? "local ephemeral storage"
      : isHuge
        ? "hugepages"
        : undefined;
  if (what !== undefined && !BYTE_DIVISORS.includes(unit))
    errors.push(invalid(at, resource, `${BYTE_RULE} ${what} resource`));
  return errors;
}

/** A file that tells a container of its pod. */
export function validateDownwardFile(path: string, file: DownwardAPIVolumeFile): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!file.path) errors.push(required(`${path}.path`));
  errors.push(...validateFilePath(`${path}.path`, file.path ?? ""));
  const { fieldRef, resourceFieldRef, mode } = file;
  if (fieldRef !== undefined) {
    errors.push(...validateFieldRef(`${path}.fieldRef`, fieldRef, FILE_FIELDS));
    if (resourceFieldRef !== undefined)
      errors.push(
        invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"),
      );
  } else if (resourceFieldRef !== undefined)
    errors.push(...validateResourceRef(`${path}.resourceFieldRef`, resourceFieldRef, { isFile: true }));
  else errors.push(required(path, "one of fieldRef and resourceFieldRef is required"));
  return [...errors, ...validateMode(`${path}.mode`, mode)];
}

const MODE_RULE = "must be a number between 0 and 0777 (octal), both inclusive";

export function validateMode(path: string, mode: number | undefined): readonly FieldError[] {
  return between(path, mode, 0, 0o777).map((error) => ({ ...error, detail: MODE_RULE }));
}
