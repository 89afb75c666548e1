import type { ResourceRequirements } from "#kube/generated/types";
import { formatQuantity, parseQuantity, QUANTITY_RULE } from "#kube/quantity";
import { invalid } from "../field/error.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

const STANDARD = ["cpu", "memory", "ephemeral-storage"];

/** Amounts are amounts, names are known, and nothing is requested beyond its limit. */
export function validateResources(
  path: string,
  resources: ResourceRequirements | undefined,
): readonly FieldError[] {
  const { requests = {}, limits = {} } = resources ?? {};
  return [
    ...validateAmounts(`${path}.limits`, limits),
    ...validateAmounts(`${path}.requests`, requests),
    ...Object.entries(requests).flatMap(([name, request]) =>
      validateBelow(`${path}.requests`, name, request, limits[name]),
    ),
  ];
}

type Amounts = Readonly<Record<string, string | number>>;

function validateAmounts(path: string, amounts: Amounts): readonly FieldError[] {
  return Object.entries(amounts).flatMap(([name, text]) => {
    const at = `${path}[${name}]`;
    const quantity = parseQuantity(String(text));
    const errors: FieldError[] = [...validateResourceName(path, name)];
    if (quantity === undefined) errors.push(invalid(at, text, QUANTITY_RULE));
    else if (quantity.nanos < 0n)
      errors.push(invalid(at, String(text), "must be greater than or equal to 0"));
    return errors;
  });
}

function validateResourceName(path: string, name: string): readonly FieldError[] {
  const errors = qualifiedNameProblems(name).map((why) => invalid(path, name, why));
  const isKnown = name.includes("/") || STANDARD.includes(name) || name.startsWith("hugepages-");
  if (!isKnown) errors.push(invalid(path, name, "must be a standard resource for containers"));
  return errors;
}

function validateBelow(
  path: string,
  name: string,
  request: string | number,
  limit: string | number | undefined,
): readonly FieldError[] {
  if (limit === undefined) return [];
  const least = parseQuantity(String(request));
  const most = parseQuantity(String(limit));
  if (least === undefined || most === undefined || least.nanos <= most.nanos) return [];
  const detail = `must be less than or equal to ${name} limit of ${formatQuantity(most)}`;
  return [invalid(path, formatQuantity(least), detail)];
}
