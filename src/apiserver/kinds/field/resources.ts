import { formatQuantity, parseQuantity, QUANTITY_RULE } from "#kube/quantity";
import type { FieldError } from "../kind.ts";
import { invalid, notSupported } from "./error.ts";
import { qualifiedNameProblems } from "./names.ts";

export type Amounts = Readonly<Record<string, string | number>>;

/** Whose resources are named: each knows other names without a domain. */
export type ResourceUse = "container" | "pod" | "quota" | "any" | "node";

const ONE = 1_000_000_000n;
const COMPUTE = ["cpu", "memory", "ephemeral-storage"];
const COUNTED = [
  "pods",
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
];
const QUOTA = new Set([
  ...COMPUTE,
  ...COMPUTE.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
  "requests.storage",
  ...COUNTED,
]);

/** Amounts are amounts, none is below zero, and their names are known where they are used. */
export function validateAmounts(
  path: string,
  amounts: Amounts | undefined,
  use: ResourceUse,
): readonly FieldError[] {
  return Object.entries(amounts ?? {}).flatMap(([name, text]) => {
    const at = `${path}[${name}]`;
    return [...validateResourceName(at, name, use), ...validateAmount(at, name, text)];
  });
}

export function validateAmount(path: string, name: string, text: string | number): readonly FieldError[] {
  const quantity = parseQuantity(String(text));
  if (quantity === undefined) return [invalid(path, text, QUANTITY_RULE)];
  const value = formatQuantity(quantity);
  const errors: FieldError[] = [];
  if (quantity.nanos < 0n) errors.push(invalid(path, value, "must be greater than or equal to 0"));
  const isWhole = COUNTED.includes(name) || isExtended(name);
  if (isWhole && quantity.nanos % ONE !== 0n) errors.push(invalid(path, value, "must be an integer"));
  if (isHugePages(name) && !isMultipleOf(quantity.nanos, name))
    errors.push(invalid(path, value, `${value} is not positive integer multiple of ${name}`));
  return errors;
}

export function validateResourceName(path: string, name: string, use: ResourceUse): readonly FieldError[] {
  if (use === "node") return [];
  const errors = qualifiedNameProblems(name).map((why) => invalid(path, name, why));
  const hasDomain = name.includes("/");
  const isKnown = QUOTA.has(name) || name === "storage" || isQuotaHugePages(name);
  if (errors.length === 0 && !hasDomain && !isKnown)
    errors.push(invalid(path, name, "must be a standard resource type or fully qualified"));
  if (use === "container") {
    if (hasDomain && !isNative(name) && !isExtended(name))
      errors.push(invalid(path, name, "doesn't follow extended resource name standard"));
    if (!hasDomain && !COMPUTE.includes(name) && !isHugePages(name))
      errors.push(invalid(path, name, "must be a standard resource for containers"));
  }
  if (use === "quota" && !hasDomain && !QUOTA.has(name) && !isQuotaHugePages(name))
    errors.push(invalid(path, name, "must be a standard resource for quota"));
  if (use === "pod" && isKnown && name !== "cpu" && name !== "memory" && !isHugePages(name))
    errors.push(notSupported(path, name, ["cpu", "hugepages-", "memory"]));
  return errors;
}

/** Whether more may be promised than there is: of cpu and memory, but not of devices or huge pages. */
export function mayOvercommit(name: string): boolean {
  return isNative(name) && !isHugePages(name);
}

export function isHugePages(name: string): boolean {
  return name.startsWith("hugepages-");
}

export function isStandardForQuota(name: string): boolean {
  return QUOTA.has(name) || isQuotaHugePages(name);
}

function isQuotaHugePages(name: string): boolean {
  return isHugePages(name) || name.startsWith("requests.hugepages-");
}

function isNative(name: string): boolean {
  return !name.includes("/") || /(?:^|\.)kubernetes\.io\//.test(name);
}

function isExtended(name: string): boolean {
  if (isNative(name) || name.startsWith("requests.")) return false;
  return qualifiedNameProblems(`requests.${name}`).length === 0;
}

function isMultipleOf(nanos: bigint, name: string): boolean {
  const page = parseQuantity(name.slice("hugepages-".length))?.nanos ?? 0n;
  return page > 0n && page % ONE === 0n && nanos % page === 0n;
}
