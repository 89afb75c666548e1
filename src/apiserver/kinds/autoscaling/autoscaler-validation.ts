import type { HorizontalPodAutoscaler, MetricSpec, MetricTarget } from "#kube/generated/types";
import { parseQuantity } from "#kube/quantity";
import { forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { pathSegmentProblems } from "../field/names.ts";
import { nonNegative } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";

const SOURCES = ["object", "pods", "resource", "containerResource", "external"] as const;
const TYPES = ["ContainerResource", "External", "Object", "Pods", "Resource"];
const TARGETS = ["AverageValue", "Utilization", "Value"];
const SELECTIONS = ["Disabled", "Max", "Min"];
const POLICY_TYPES = ["Percent", "Pods"];
const MAX_PERIOD = 1800;
const MAX_WINDOW = 3600;

/** @see validateHorizontalPodAutoscalerSpec in kubernetes pkg/apis/autoscaling/validation */
export function validateAutoscaler({ spec }: HorizontalPodAutoscaler): readonly FieldError[] {
  if (spec === undefined) return [required("spec.scaleTargetRef.kind")];
  const { minReplicas, maxReplicas = 0, scaleTargetRef } = spec;
  const errors: FieldError[] = [];
  if (minReplicas !== undefined && minReplicas < 1)
    errors.push(invalid("spec.minReplicas", minReplicas, "must be greater than or equal to 1"));
  if (maxReplicas < 1) errors.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than 0"));
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    errors.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"));
  for (const field of ["kind", "name"] as const) {
    const value = scaleTargetRef?.[field] ?? "";
    errors.push(
      ...(value === ""
        ? [required(`spec.scaleTargetRef.${field}`)]
        : problems(`spec.scaleTargetRef.${field}`, value, pathSegmentProblems(value))),
    );
  }
  return [
    ...errors,
    ...(spec.metrics ?? []).flatMap((metric, i) => validateMetric(`spec.metrics[${i}]`, metric)),
    ...validateRules("spec.behavior.scaleUp", spec.behavior?.scaleUp),
    ...validateRules("spec.behavior.scaleDown", spec.behavior?.scaleDown),
  ];
}

export function validateAutoscalerStatus({ status }: HorizontalPodAutoscaler): readonly FieldError[] {
  return [
    ...nonNegative("status.currentReplicas", status?.currentReplicas),
    ...nonNegative("status.desiredReplicas", status?.desiredReplicas),
  ];
}

function validateMetric(path: string, metric: MetricSpec): readonly FieldError[] {
  const { type } = metric;
  if (!type) return [required(`${path}.type`, "must specify a metric source type")];
  if (!TYPES.includes(type)) return [notSupported(`${path}.type`, type, TYPES)];
  const wanted = `${type.charAt(0).toLowerCase()}${type.slice(1)}`;
  const given = SOURCES.filter((source) => metric[source] !== undefined);
  const errors: FieldError[] = [];
  if (!given.some((source) => source === wanted))
    errors.push(required(`${path}.${wanted}`, "must populate information for the given metric source"));
  for (const source of given)
    if (source !== wanted)
      errors.push(forbidden(`${path}.${source}`, "must populate the given metric source only"));
  const own = metric.resource ?? metric.containerResource;
  if (own !== undefined) errors.push(...validateOwn(`${path}.${wanted}`, own));
  const target = (metric.pods ?? metric.object ?? metric.external)?.target;
  return target === undefined ? errors : [...errors, ...validateTarget(`${path}.${wanted}.target`, target)];
}

function validateOwn(
  path: string,
  {
    name,
    target,
    container,
  }: { readonly name: string; readonly target?: MetricTarget; readonly container?: string },
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`, "must specify a resource name"));
  if (container === "") errors.push(required(`${path}.container`, "must specify a container"));
  if (target === undefined) return errors;
  errors.push(...validateTarget(`${path}.target`, target));
  const { averageUtilization, averageValue } = target;
  if (averageUtilization === undefined && averageValue === undefined)
    errors.push(
      required(
        `${path}.target.averageUtilization`,
        "must set either a target raw value or a target utilization",
      ),
    );
  if (averageUtilization !== undefined && averageValue !== undefined)
    errors.push(
      forbidden(
        `${path}.target.averageValue`,
        "may not set both a target raw value and a target utilization",
      ),
    );
  return errors;
}

function validateTarget(path: string, target: MetricTarget): readonly FieldError[] {
  const { type, averageUtilization, value, averageValue } = target;
  const errors: FieldError[] = [];
  if (!type) errors.push(required(`${path}.type`, "must specify a metric target type"));
  else if (!TARGETS.includes(type))
    errors.push(invalid(`${path}.type`, type, "must be either Utilization, Value, or AverageValue"));
  if (averageUtilization !== undefined && averageUtilization < 1)
    errors.push(invalid(`${path}.averageUtilization`, averageUtilization, "must be greater than 0"));
  for (const [field, amount] of Object.entries({ value, averageValue }))
    if (amount !== undefined && (parseQuantity(String(amount))?.nanos ?? 0n) <= 0n)
      errors.push(invalid(`${path}.${field}`, String(amount), "must be positive"));
  return errors;
}

type Rules = NonNullable<NonNullable<HorizontalPodAutoscaler["spec"]>["behavior"]>["scaleUp"];

function validateRules(path: string, rules: Rules): readonly FieldError[] {
  if (rules === undefined) return [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [] } = rules;
  const errors = [...nonNegative(`${path}.stabilizationWindowSeconds`, window)];
  if (window !== undefined && window > MAX_WINDOW)
    errors.push(
      invalid(`${path}.stabilizationWindowSeconds`, window, `must be less than or equal to ${MAX_WINDOW}`),
    );
  if (selectPolicy !== undefined && !SELECTIONS.includes(selectPolicy))
    errors.push(notSupported(`${path}.selectPolicy`, selectPolicy, SELECTIONS));
  if (policies.length === 0) errors.push(required(`${path}.policies`, "must specify at least one Policy"));
  policies.forEach(({ type, value, periodSeconds }, i) => {
    const at = `${path}.policies[${i}]`;
    if (!POLICY_TYPES.includes(type)) errors.push(notSupported(`${at}.type`, type, POLICY_TYPES));
    if (value <= 0) errors.push(invalid(`${at}.value`, value, "must be greater than zero"));
    if (periodSeconds <= 0)
      errors.push(invalid(`${at}.periodSeconds`, periodSeconds, "must be greater than zero"));
    if (periodSeconds > MAX_PERIOD)
      errors.push(
        invalid(`${at}.periodSeconds`, periodSeconds, `must be less than or equal to ${MAX_PERIOD}`),
      );
  });
  return errors;
}
