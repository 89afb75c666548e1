import type { PodDisruptionBudget } from "#kube/generated/types";
import { POD_DISRUPTION_BUDGETS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { invalid, notSupported } from "../field/error.ts";
import { goSelector, validateLabelSelector } from "../field/labels.ts";
import { nonNegative, percentOrCount } from "../field/numbers.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, count, nameColumn, printer, text } from "../print/printer.ts";

export const podDisruptionBudgets: KindSpec<PodDisruptionBudget> = kindSpec<PodDisruptionBudget>({
  resource: POD_DISRUPTION_BUDGETS,
  definition: "io.k8s.api.policy.v1.PodDisruptionBudget",
  nameRule: "path-segment",
  shortNames: ["pdb"],
  hasStatus: true,
  generation: "spec",
  requiresVersion: true,
  prepareCreate: (draft) => {
    draft.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  },
  validate: validateBudget,
  validatePart: (_part, budget) => validateBudgetStatus(budget),
  ...printer<PodDisruptionBudget>([
    nameColumn,
    text("Min Available", ({ spec }) => String(spec?.minAvailable ?? "N/A")),
    text("Max Unavailable", ({ spec }) => String(spec?.maxUnavailable ?? "N/A")),
    count("Allowed Disruptions", ({ status }) => status?.disruptionsAllowed),
    ageColumn,
  ]),
});

function validateBudget({ spec }: PodDisruptionBudget): readonly FieldError[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec ?? {};
  const errors: FieldError[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined)
    errors.push(invalid("spec", goSpec(spec ?? {}), "minAvailable and maxUnavailable cannot be both set"));
  if (minAvailable !== undefined) errors.push(...percentOrCount("spec.minAvailable", minAvailable));
  if (maxUnavailable !== undefined) errors.push(...percentOrCount("spec.maxUnavailable", maxUnavailable));
  errors.push(...validateLabelSelector("spec.selector", selector));
  if (policy !== undefined && !EVICTION_POLICIES.includes(policy))
    errors.push(notSupported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES));
  return errors;
}

/** The spec as complaints about it as a whole show it. */
function goSpec({
  minAvailable = null,
  maxUnavailable = null,
  selector,
  unhealthyPodEvictionPolicy = null,
}: Loose<NonNullable<PodDisruptionBudget["spec"]>>): object {
  return {
    MinAvailable: minAvailable,
    Selector: selector ? goSelector(selector) : null,
    MaxUnavailable: maxUnavailable,
    UnhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy,
  };
}

type Loose<T> = { readonly [K in keyof T]: T[K] | null };

const EVICTION_POLICIES = ["AlwaysAllow", "IfHealthyBudget"];
const COUNTS = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] as const;

function validateBudgetStatus({ status }: PodDisruptionBudget): readonly FieldError[] {
  return COUNTS.flatMap((field) => nonNegative(`status.${field}`, status?.[field]));
}
