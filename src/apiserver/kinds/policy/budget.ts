import type { HorizontalPodAutoscaler, PodDisruptionBudget } from "#kube/generated/types";
import { HORIZONTAL_POD_AUTOSCALERS, POD_DISRUPTION_BUDGETS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { invalid, notSupported } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { nonNegative, percentOrCount } from "../field/numbers.ts";
import type { FieldError, KindSpec } from "../kind.ts";
import { ageColumn, count, nameColumn, printer, text } from "../print/printer.ts";

export const podDisruptionBudgets: KindSpec<PodDisruptionBudget> = kindSpec<PodDisruptionBudget>({
  resource: POD_DISRUPTION_BUDGETS,
  definition: "io.k8s.api.policy.v1.PodDisruptionBudget",
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
    errors.push(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
  if (minAvailable !== undefined) errors.push(...percentOrCount("spec.minAvailable", minAvailable));
  if (maxUnavailable !== undefined) errors.push(...percentOrCount("spec.maxUnavailable", maxUnavailable));
  errors.push(...validateLabelSelector("spec.selector", selector));
  if (policy !== undefined && !EVICTION_POLICIES.includes(policy))
    errors.push(notSupported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES));
  return errors;
}

const EVICTION_POLICIES = ["AlwaysAllow", "IfHealthyBudget"];
const COUNTS = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] as const;

function validateBudgetStatus({ status }: PodDisruptionBudget): readonly FieldError[] {
  return COUNTS.flatMap((field) => nonNegative(`status.${field}`, status?.[field]));
}

/** Stored and returned; nothing scales by it. */
export const horizontalPodAutoscalers: KindSpec<HorizontalPodAutoscaler> = kindSpec<HorizontalPodAutoscaler>({
  resource: HORIZONTAL_POD_AUTOSCALERS,
  definition: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
  shortNames: ["hpa"],
  categories: ["all"],
  hasStatus: true,
  defaults: (draft) => {
    draft.spec ??= {};
    draft.spec.minReplicas ??= 1;
    draft.spec.metrics ??= [
      {
        type: "Resource",
        resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } },
      },
    ];
  },
  prepareCreate: (draft) => {
    draft.status = { currentReplicas: 0, desiredReplicas: 0 };
  },
  ...printer<HorizontalPodAutoscaler>([
    nameColumn,
    text("Reference", ({ spec }) => `${spec?.scaleTargetRef.kind}/${spec?.scaleTargetRef.name}`),
    text("Targets", targetsText),
    text("MinPods", ({ spec }) => String(spec?.minReplicas ?? "<unset>")),
    { ...count<HorizontalPodAutoscaler>("MaxPods", ({ spec }) => spec?.maxReplicas), type: "string" },
    {
      ...count<HorizontalPodAutoscaler>("Replicas", ({ status }) => status?.currentReplicas),
      type: "string",
    },
    ageColumn,
  ]),
});

function targetsText({ spec }: HorizontalPodAutoscaler): string {
  const words = (spec?.metrics ?? []).map(({ resource }) =>
    resource === undefined
      ? "<unknown>"
      : `${resource.name}: <unknown>/${resource.target.averageUtilization ?? resource.target.averageValue ?? ""}%`,
  );
  return words.length > 2
    ? `${words.slice(0, 2).join(", ")} + ${words.length - 2} more...`
    : words.join(", ");
}
