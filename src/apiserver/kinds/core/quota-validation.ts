import type { LimitRange, ResourceQuota, ResourceQuotaSpec } from "#kube/generated/types";
import { formatQuantity, parseQuantity, type Quantity } from "#kube/quantity";
import { duplicate, forbidden, IMMUTABLE, invalid, problems, required } from "../field/error.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import {
  isStandardForQuota,
  mayOvercommit,
  validateAmounts,
  validateResourceName,
} from "../field/resources.ts";
import type { FieldError } from "../kind.ts";

const EXISTENCE = [
  "BestEffort",
  "NotBestEffort",
  "Terminating",
  "NotTerminating",
  "CrossNamespacePodAffinity",
];
const SCOPES = [...EXISTENCE, "PriorityClass", "VolumeAttributesClass"];
const POD_RESOURCES = [
  "cpu",
  "memory",
  "pods",
  "requests.cpu",
  "requests.memory",
  "limits.cpu",
  "limits.memory",
];
const CLAIM_RESOURCES = ["persistentvolumeclaims", "requests.storage"];
const EXISTS_RULE =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";

export function validateQuota({ spec }: ResourceQuota): readonly FieldError[] {
  return [
    ...validateAmounts("spec.hard", spec?.hard, "quota"),
    ...validateScopes("spec.scopes", spec?.scopes ?? [], spec),
    ...validateSelector("spec.scopeSelector.matchExpressions", spec),
  ];
}

export function validateQuotaUpdate({ spec }: ResourceQuota, { spec: before }: ResourceQuota) {
  const sorted = (scopes: readonly string[] | undefined) => [...new Set(scopes)].sort().join();
  return sorted(spec?.scopes) === sorted(before?.scopes)
    ? []
    : [invalid("spec.scopes", spec?.scopes ?? null, IMMUTABLE)];
}

export function validateQuotaStatus({ status }: ResourceQuota): readonly FieldError[] {
  return [
    ...validateAmounts("status.hard", status?.hard, "quota"),
    ...validateAmounts("status.used", status?.used, "quota"),
  ];
}

/** Scopes are known, count what the quota limits, and do not exclude each other. */
function validateScopes(
  path: string,
  scopes: readonly string[],
  spec: ResourceQuotaSpec | undefined,
): readonly FieldError[] {
  const errors = scopes.flatMap((scope) => {
    const unknown = SCOPES.includes(scope) ? [] : [invalid(path, scopes, "unsupported scope")];
    return [...unknown, ...misapplied(path, scope, scopes, spec)];
  });
  return [...errors, ...conflicts(path, scopes, scopes)];
}

function misapplied(path: string, scope: string, value: unknown, spec: ResourceQuotaSpec | undefined) {
  return Object.keys(spec?.hard ?? {})
    .filter((name) => isStandardForQuota(name) && !fits(scope, name))
    .map(() => invalid(path, value, "unsupported scope applied to resource"));
}

function fits(scope: string, resource: string): boolean {
  if (scope === "BestEffort") return resource === "pods";
  if (scope === "VolumeAttributesClass") return CLAIM_RESOURCES.includes(resource);
  return (
    POD_RESOURCES.includes(resource) ||
    resource.includes("ephemeral-storage") ||
    resource.includes("hugepages-")
  );
}

function conflicts(path: string, scopes: readonly string[], value: unknown): readonly FieldError[] {
  const both = (a: string, b: string) => scopes.includes(a) && scopes.includes(b);
  return [both("BestEffort", "NotBestEffort"), both("Terminating", "NotTerminating")]
    .filter(Boolean)
    .map(() => invalid(path, value, "conflicting scopes"));
}

function validateSelector(path: string, spec: ResourceQuotaSpec | undefined): readonly FieldError[] {
  const all = spec?.scopeSelector?.matchExpressions ?? [];
  const errors: FieldError[] = [];
  for (const { scopeName, operator, values = [] } of all) {
    if (!SCOPES.includes(scopeName))
      errors.push(invalid(`${path}.scopeName`, scopeName, "unsupported scope"));
    errors.push(...misapplied(path, scopeName, spec?.scopeSelector, spec));
    if (EXISTENCE.includes(scopeName) && operator !== "Exists")
      errors.push(invalid(`${path}.operator`, operator, EXISTS_RULE));
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0)
        errors.push(
          required(
            `${path}.values`,
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
          ),
        );
    } else if (operator !== "Exists" && operator !== "DoesNotExist")
      errors.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
    else if (values.length > 0)
      errors.push(
        invalid(
          `${path}.values`,
          values,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
      );
  }
  const names = all.map(({ scopeName }) => scopeName);
  return [...errors, ...conflicts(path, names, spec?.scopes ?? null)];
}

const LIMIT_TYPES = ["Container", "PersistentVolumeClaim", "Pod"];
type Limit = NonNullable<LimitRange["spec"]>["limits"][number];
const BOUNDS = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] as const;
type Bound = (typeof BOUNDS)[number];

/** Bounds of each type once, and none beyond another. */
export function validateLimitRange({ spec }: LimitRange): readonly FieldError[] {
  const types = new Set<string>();
  return (spec?.limits ?? []).flatMap((limit, i) => {
    const at = `spec.limits[${i}]`;
    const errors = [...validateType(`${at}.type`, limit.type)];
    if (types.has(limit.type)) errors.push(duplicate(`${at}.type`, limit.type));
    types.add(limit.type);
    return [...errors, ...validateLimit(at, limit)];
  });
}

function validateType(path: string, type: string): readonly FieldError[] {
  const whys = qualifiedNameProblems(type);
  if (whys.length > 0) return problems(path, type, whys);
  return type.includes("/") || LIMIT_TYPES.includes(type)
    ? []
    : [invalid(path, type, "must be a standard limit type or fully qualified")];
}

function validateLimit(at: string, limit: Limit): readonly FieldError[] {
  const use = limit.type === "Pod" || limit.type === "Container" ? "container" : "any";
  const errors: FieldError[] = [];
  for (const bound of BOUNDS) {
    const isDefault = bound === "default" || bound === "defaultRequest";
    if (limit.type === "Pod" && isDefault) {
      if (Object.keys(limit[bound] ?? {}).length > 0)
        errors.push(forbidden(`${at}.${bound}`, "may not be specified when `type` is 'Pod'"));
    } else
      for (const name of Object.keys(limit[bound] ?? {}))
        errors.push(...validateResourceName(`${at}.${bound}[${name}]`, name, use));
  }
  if (
    limit.type === "PersistentVolumeClaim" &&
    limit.min?.["storage"] === undefined &&
    limit.max?.["storage"] === undefined
  )
    errors.push(
      required(
        `${at}.limits`,
        "either minimum or maximum storage value is required, but neither was provided",
      ),
    );
  const names = new Set(BOUNDS.flatMap((bound) => Object.keys(limit[bound] ?? {})));
  return [...errors, ...[...names].flatMap((name) => validateOrder(at, limit, name))];
}

/** Pairs of bounds of which the first may not be above the second: where it is said, and how. */
const ORDER: readonly (readonly [Bound, Bound, Bound, string])[] = [
  ["min", "max", "min", "min value A is greater than max value B"],
  ["min", "defaultRequest", "defaultRequest", "min value A is greater than default request value B"],
  ["defaultRequest", "max", "defaultRequest", "default request value A is greater than max value B"],
  [
    "defaultRequest",
    "default",
    "defaultRequest",
    "default request value A is greater than default limit value B",
  ],
  ["min", "default", "default", "min value A is greater than default value B"],
  ["default", "max", "default", "default value A is greater than max value B"],
];

function validateOrder(at: string, limit: Limit, name: string): readonly FieldError[] {
  const amount = (bound: Bound): Quantity | undefined => {
    const text = limit[bound]?.[name];
    return text === undefined ? undefined : parseQuantity(String(text));
  };
  const errors = ORDER.flatMap(([low, high, place, words]) => {
    const a = amount(low);
    const b = amount(high);
    if (a === undefined || b === undefined || a.nanos <= b.nanos) return [];
    // what is shown is not the default but what it is beyond
    const said = place === "default" ? (low === "default" ? b : a) : amount(place);
    const detail = words.replace("A", formatQuantity(a)).replace("B", formatQuantity(b));
    return [invalid(`${at}.${place}[${name}]`, formatQuantity(said ?? a), detail)];
  });
  const ratio = amount("maxLimitRequestRatio");
  if (ratio !== undefined && ratio.nanos < 1_000_000_000n)
    errors.push(
      invalid(
        `${at}.maxLimitRequestRatio[${name}]`,
        formatQuantity(ratio),
        `ratio ${formatQuantity(ratio)} is less than 1`,
      ),
    );
  const [least, most] = [amount("min"), amount("max")];
  if (ratio && least && most) {
    const bound = Number(most.nanos) / Number(least.nanos);
    if (Number(ratio.nanos) / 1e9 > bound)
      errors.push(
        invalid(
          `${at}.maxLimitRequestRatio[${name}]`,
          formatQuantity(ratio),
          `ratio ${formatQuantity(ratio)} is greater than max/min = ${bound.toFixed(6)}`,
        ),
      );
  }
  const given = amount("default");
  const asked = amount("defaultRequest");
  if (!mayOvercommit(name) && given && asked && given.nanos !== asked.nanos)
    errors.push(
      invalid(
        `${at}.defaultRequest[${name}]`,
        formatQuantity(asked),
        `default value ${formatQuantity(given)} must equal to defaultRequest value ${formatQuantity(asked)} in ${name}`,
      ),
    );
  return errors;
}
