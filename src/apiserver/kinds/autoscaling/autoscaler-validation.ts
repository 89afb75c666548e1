import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricTarget,
} from "#kube/generated/types";
import { parseQuantity } from "#kube/quantity";
import { forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { labelProblems, pathSegmentProblems } from "../field/names.ts";
import { nonNegative } from "../field/numbers.ts";
import { validateResourceName } from "../field/resources.ts";
import type { FieldError } from "../kind.ts";

/** In the order in which they are looked for. */
const SOURCES = ["object", "external", "pods", "resource", "containerResource"] as const;
const TYPES = ["ContainerResource", "External", "Object", "Pods", "Resource"];
const TARGETS = ["AverageValue", "Utilization", "Value"];
const SELECTIONS = ["Disabled", "Max", "Min"];
const POLICY_TYPES = ["Percent", "Pods"];
const MAX_PERIOD = 1800;
const MAX_WINDOW = 3600;

/** @see validateHorizontalPodAutoscalerSpec in kubernetes pkg/apis/autoscaling/validation */
export function validateAutoscaler({ spec }: HorizontalPodAutoscaler): readonly FieldError[] {
  const { minReplicas, maxReplicas = 0, scaleTargetRef, metrics = [], behavior } = spec ?? {};
  const errors: FieldError[] = [];
  if (minReplicas !== undefined && minReplicas < 1)
    errors.push(invalid("spec.minReplicas", minReplicas, "must be greater than or equal to 1"));
  if (maxReplicas < 1) errors.push(required("spec.maxReplicas", "must be set and greater than 0"));
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    errors.push(invalid("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"));
  return [
    ...errors,
    ...validateReference("spec.scaleTargetRef", scaleTargetRef),
    ...metrics.flatMap((metric, i) => validateMetric(`spec.metrics[${i}]`, metric)),
    ...validateRules("spec.behavior.scaleUp", behavior?.scaleUp),
    ...validateRules("spec.behavior.scaleDown", behavior?.scaleDown),
  ];
}

type Reference = Partial<CrossVersionObjectReference> | undefined;

function validateReference(path: string, reference: Reference): readonly FieldError[] {
  const { kind = "", name = "", apiVersion = "" } = reference ?? {};
  return [
    ...(kind === "" ? [required(`${path}.kind`)] : problems(`${path}.kind`, kind, pathSegmentProblems(kind))),
    ...(name === "" ? [required(`${path}.name`)] : problems(`${path}.name`, name, pathSegmentProblems(name))),
    ...(apiVersion.split("/").length > 2
      ? [invalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)]
      : []),
  ];
}

/** What is to scale names its group; of an autoscaler from before that was asked for, it need not. */
export function validateTargetGroup(
  { spec }: HorizontalPodAutoscaler,
  stored?: HorizontalPodAutoscaler,
): readonly FieldError[] {
  const hasGroup = (one: HorizontalPodAutoscaler) =>
    /^[^/]+\/|\/.*\//.test(one.spec?.scaleTargetRef?.apiVersion ?? "");
  const apiVersion = spec?.scaleTargetRef?.apiVersion ?? "";
  if ((spec !== undefined && hasGroup({ spec } as HorizontalPodAutoscaler)) || (stored && !hasGroup(stored)))
    return [];
  return [invalid("spec.scaleTargetRef.apiVersion", apiVersion, "apiVersion must specify API group")];
}

export function validateAutoscalerStatus({ status }: HorizontalPodAutoscaler): readonly FieldError[] {
  return [
    ...nonNegative("status.currentReplicas", status?.currentReplicas),
    ...nonNegative("status.desiredReplicas", status?.desiredReplicas),
  ];
}

function validateMetric(path: string, metric: MetricSpec): readonly FieldError[] {
  const { type = "" } = metric;
  const errors: FieldError[] = [];
  if (type === "") errors.push(required(`${path}.type`, "must specify a metric source type"));
  const isKnown = TYPES.includes(type);
  if (!isKnown) errors.push(notSupported(`${path}.type`, type, TYPES));
  const given = SOURCES.filter((source) => metric[source] !== undefined);
  // one source is looked at; of several, which one is meant is not known
  const [source] = given;
  if (source !== undefined) errors.push(...validateMetricSource(`${path}.${source}`, source, metric));
  const wanted = `${type.charAt(0).toLowerCase()}${type.slice(1)}`;
  if (!isKnown) errors.push(notSupported(`${path}.type`, type, TYPES));
  else if (!given.some((one) => one === wanted))
    errors.push(required(`${path}.${wanted}`, "must populate information for the given metric source"));
  if (given.length !== 1)
    for (const one of given)
      if (one !== wanted)
        errors.push(forbidden(`${path}.${one}`, "must populate the given metric source only"));
  return errors;
}

function validateMetricSource(
  path: string,
  source: (typeof SOURCES)[number],
  metric: MetricSpec,
): readonly FieldError[] {
  const own = source === "resource" ? metric.resource : metric.containerResource;
  if (source === "resource" || source === "containerResource")
    return own === undefined ? [] : validateOwn(path, source, own);
  const { metric: id, target = { type: "" } } = metric[source] ?? {};
  const name = id?.name ?? "";
  const at = `${path}.target`;
  const errors = [
    ...(source === "object"
      ? validateReference(`${path}.describedObject`, metric.object?.describedObject)
      : []),
    ...(name === ""
      ? [required(`${path}.metric.name`, "must specify a metric name")]
      : problems(`${path}.metric.name`, name, pathSegmentProblems(name))),
    ...validateTarget(at, target),
  ];
  const { value, averageValue } = target;
  const isMissing = averageValue === undefined && (source === "pods" || value === undefined);
  if (isMissing) errors.push(required(`${at}.averageValue`, MISSING_TARGET[source]));
  if (source === "external" && value !== undefined && averageValue !== undefined)
    errors.push(forbidden(`${at}.value`, "may not set both a target value for metric and a per-pod target"));
  return errors;
}

const MISSING_TARGET = {
  pods: "must specify a positive target averageValue",
  object: "must set either a target value or averageValue",
  external: "must set either a target value for metric or a per-pod target",
};

function validateOwn(
  path: string,
  source: "resource" | "containerResource",
  {
    name = "",
    target = { type: "" },
    container = "",
  }: { readonly name?: string; readonly target?: MetricTarget; readonly container?: string },
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (name === "") errors.push(required(`${path}.name`, "must specify a resource name"));
  else if (source === "containerResource")
    errors.push(...validateResourceName(`${path}.name`, name, "container"));
  if (source === "containerResource")
    errors.push(
      ...(container === ""
        ? [required(`${path}.container`, "must specify a container")]
        : problems(`${path}.container`, container, labelProblems(container))),
    );
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
  if (!TARGETS.includes(type ?? ""))
    errors.push(invalid(`${path}.type`, type ?? "", "must be either Utilization, Value, or AverageValue"));
  for (const [field, amount] of Object.entries({ value, averageValue }))
    if (amount !== undefined && (parseQuantity(String(amount))?.nanos ?? 0n) <= 0n)
      errors.push(invalid(`${path}.${field}`, String(amount), "must be positive"));
  if (averageUtilization !== undefined && averageUtilization < 1)
    errors.push(invalid(`${path}.averageUtilization`, averageUtilization, "must be greater than 0"));
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
