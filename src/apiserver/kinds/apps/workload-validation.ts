import type { LabelSelector, PodTemplateSpec } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { invalid, notSupported, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { nonNegative, percentOrCount } from "../field/numbers.ts";
import { sameJson } from "../field/same.ts";
import type { FieldError } from "../kind.ts";
import { validatePodTemplate } from "../pod/template.ts";

interface WorkloadSpec {
  readonly selector?: LabelSelector | undefined;
  readonly template?: PodTemplateSpec | undefined;
}

interface Workload {
  readonly spec?: WorkloadSpec | undefined;
}

export function validateReplicas(replicas: number | undefined): readonly FieldError[] {
  return nonNegative("spec.replicas", replicas);
}

/** The selector is there, selects something, and selects the pods the template makes. */
export function validateSelector(spec: WorkloadSpec | undefined, what: string): readonly FieldError[] {
  const selector = spec?.selector;
  if (selector === undefined || selector === null)
    return [required("spec.selector"), mismatch(spec?.template?.metadata?.labels)];
  const errors = validateLabelSelector("spec.selector", selector);
  if (errors.length > 0) return errors;
  if (isEmptySelector(selector))
    return [invalid("spec.selector", selector, `empty selector is invalid for ${what}`)];
  const labels = spec?.template?.metadata?.labels;
  return matchesSelector(selector, labels ?? {}) ? [] : [mismatch(labels)];
}

function mismatch(labels: Readonly<Record<string, string>> | undefined): FieldError {
  return invalid(
    "spec.template.metadata.labels",
    labels ?? null,
    "`selector` does not match template `labels`",
  );
}

/** The template of pods that are always restarted. */
export function validateTemplate(spec: WorkloadSpec | undefined): readonly FieldError[] {
  const template = spec?.template;
  if (template === undefined || template === null) return [required("spec.template")];
  const errors = [...validatePodTemplate("spec.template", template)];
  const policy = template.spec?.restartPolicy;
  if (policy !== undefined && policy !== "Always")
    errors.push(notSupported("spec.template.spec.restartPolicy", policy, ["Always"]));
  if (template.spec?.activeDeadlineSeconds !== undefined)
    errors.push({
      type: "Forbidden",
      path: "spec.template.spec.activeDeadlineSeconds",
      detail: "activeDeadlineSeconds in pod template is not Supported",
    });
  return errors;
}

export function immutableSelector(object: Workload, stored: Workload): readonly FieldError[] {
  return sameJson(object.spec?.selector, stored.spec?.selector)
    ? []
    : [invalid("spec.selector", object.spec?.selector, "field is immutable")];
}

/** A DaemonSet's update strategy: rolling with a bound that lets it move, or OnDelete. */
export function validateUpdateStrategy(
  strategy:
    | {
        type?: string | undefined;
        rollingUpdate?:
          | { maxUnavailable?: number | string | undefined; maxSurge?: number | string | undefined }
          | undefined;
      }
    | undefined,
): readonly FieldError[] {
  const path = "spec.updateStrategy";
  if (strategy?.type === "OnDelete") return [];
  if (strategy?.type !== "RollingUpdate")
    return [notSupported(`${path}.type`, strategy?.type ?? "", ["RollingUpdate", "OnDelete"])];
  return validateRollingUpdate(
    `${path}.rollingUpdate`,
    strategy.rollingUpdate,
    "may not be 0 when `maxSurge` is 0",
  );
}

export function validateRollingUpdate(
  path: string,
  rolling:
    | { maxUnavailable?: number | string | undefined; maxSurge?: number | string | undefined }
    | undefined,
  bothZero: string,
): readonly FieldError[] {
  if (rolling === undefined) return [required(path)];
  const { maxUnavailable = 0, maxSurge = 0 } = rolling;
  const errors = [
    ...percentOrCount(`${path}.maxUnavailable`, maxUnavailable),
    ...percentOrCount(`${path}.maxSurge`, maxSurge),
  ];
  if (isZero(maxUnavailable) && isZero(maxSurge))
    errors.push(invalid(`${path}.maxUnavailable`, maxUnavailable, bothZero));
  return errors;
}

function isZero(value: number | string): boolean {
  return Number.parseInt(String(value), 10) === 0;
}
