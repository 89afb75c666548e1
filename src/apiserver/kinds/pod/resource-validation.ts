import type { ResourceRequirements } from "#kube/generated/types";
import { formatQuantity, parseQuantity } from "#kube/quantity";
import { duplicate, forbidden, invalid, notFound, required } from "../field/error.ts";
import { isHugePages, mayOvercommit, validateAmounts } from "../field/resources.ts";
import type { FieldError } from "../kind.ts";

/** Amounts are amounts, names are known, and nothing is requested beyond its limit. `claims`: the names of the pod's resource claims. */
export function validateResources(
  path: string,
  resources: ResourceRequirements | undefined,
  use: "container" | "pod",
  claims: ReadonlySet<string> = new Set(),
): readonly FieldError[] {
  const { requests = {}, limits = {} } = resources ?? {};
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  const errors = [
    ...validateAmounts(`${path}.limits`, limits, use),
    ...validateAmounts(`${path}.requests`, requests, use),
    ...Object.entries(requests).flatMap(([name, request]) => {
      return validateBelow(path, name, request, limits[name]);
    }),
  ];
  if (names.some(isHugePages) && !names.includes("cpu") && !names.includes("memory"))
    errors.push(forbidden(path, "HugePages require cpu or memory"));
  return [...errors, ...validateClaims(`${path}.claims`, resources?.claims, claims)];
}

function validateBelow(
  path: string,
  name: string,
  request: string | number,
  limit: string | number | undefined,
): readonly FieldError[] {
  if (limit === undefined)
    return mayOvercommit(name)
      ? []
      : [required(`${path}.limits`, "Limit must be set for non overcommitable resources")];
  const least = parseQuantity(String(request));
  const most = parseQuantity(String(limit));
  if (least === undefined || most === undefined) return [];
  const at = `${path}.requests`;
  const value = formatQuantity(least);
  if (!mayOvercommit(name) && least.nanos !== most.nanos)
    return [invalid(at, value, `must be equal to ${name} limit of ${formatQuantity(most)}`)];
  if (least.nanos <= most.nanos) return [];
  return [invalid(at, value, `must be less than or equal to ${name} limit of ${formatQuantity(most)}`)];
}

function validateClaims(
  path: string,
  claims: ResourceRequirements["claims"],
  known: ReadonlySet<string>,
): readonly FieldError[] {
  const seen = new Set<string>();
  return (claims ?? []).flatMap(({ name, request }, i) => {
    const at = `${path}[${i}]`;
    if (!name) return [required(at)];
    const errors: FieldError[] = [];
    const key = request ? `${name}/${request}` : name;
    if (seen.has(name) || seen.has(key)) errors.push(duplicate(at, key));
    seen.add(key);
    if (!known.has(name)) errors.push({ ...notFound(at, name), detail: claimNames(known) });
    return errors;
  });
}

function claimNames(known: ReadonlySet<string>): string {
  const names = [...known].sort().join(", ");
  return `must be one of the names in pod.spec.resourceClaims${names === "" ? " which is empty" : `: ${names}`}`;
}
