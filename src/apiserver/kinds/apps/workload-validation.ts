import type { LabelSelector, PodTemplateSpec } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { invalid, notSupported, required } from "../field/error.ts";
import { goSelector, sortedMap, validateLabelSelector } from "../field/labels.ts";
import { nonNegative, percentOrCount } from "../field/numbers.ts";
import { sameJson } from "../field/same.ts";
import type { FieldError } from "../kind.ts";
import { validatePodTemplate } from "../pod/template.ts";

interface WorkloadSpec {
  readonly selector?: LabelSelector | undefined;
  readonly replicas?: number | undefined;
  readonly template?: PodTemplateSpec | undefined;
}

interface Workload {
  readonly spec?: WorkloadSpec | undefined;
}

export function validateReplicas(replicas: number | undefined): readonly FieldError[] {
  return nonNegative("spec.replicas", replicas);
}

/** The selector is there, selects something, and selects the pods the template makes; the template is in order. `what` is the workload as
 *  complaints about an empty selector call it, `unusable` what is said of one that cannot be read, `kind` who has no deadline for its pods. */
export function validateSelectorAndTemplate(
  spec: WorkloadSpec | undefined,
  { what, unusable, kind }: { readonly what: string; readonly unusable: string; readonly kind: string },
): readonly FieldError[] {
  const selector = spec?.selector;
  const errors = [...validateSelector(selector, what)];
  const labels = spec?.template?.metadata?.labels;
  if (selector !== undefined && !isUsable(selector))
    return [...errors, invalid("spec.selector", goSelector(selector), unusable)];
  // no selector selects nothing, which is a mismatch; an empty one is complained of already
  if (selector === undefined || (!isEmptySelector(selector) && !matchesSelector(selector, labels ?? {})))
    errors.push(mismatch(labels));
  return [...errors, ...validateTemplate(spec, kind)];
}

function validateSelector(selector: LabelSelector | undefined, what: string): readonly FieldError[] {
  if (selector === undefined) return [required("spec.selector")];
  return [
    ...validateLabelSelector("spec.selector", selector),
    ...(isEmptySelector(selector)
      ? [invalid("spec.selector", selector, `empty selector is invalid for ${what}`)]
      : []),
  ];
}

/** The selector of a DaemonSet, whose parts are looked at in an order of their own. */
export function validateDaemonSelector(spec: WorkloadSpec | undefined): readonly FieldError[] {
  const selector = spec?.selector;
  const labels = spec?.template?.metadata?.labels;
  const errors = [...validateLabelSelector("spec.selector", selector)];
  const matches = selector !== undefined && matchesSelector(selector, labels ?? {});
  if ((selector === undefined || isUsable(selector)) && !matches) errors.push(mismatch(labels));
  if (selector !== undefined && isEmptySelector(selector))
    errors.push(invalid("spec.selector", selector, "empty selector is invalid for daemonset"));
  return errors;
}

function isUsable(selector: LabelSelector): boolean {
  return validateLabelSelector("", selector).length === 0;
}

function mismatch(labels: Readonly<Record<string, string>> | undefined): FieldError {
  return invalid(
    "spec.template.metadata.labels",
    labels === undefined ? null : sortedMap(labels),
    "`selector` does not match template `labels`",
  );
}

/** The template of pods that are always restarted. */
export function validateTemplate(spec: WorkloadSpec | undefined, kind: string): readonly FieldError[] {
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
      detail: `activeDeadlineSeconds in ${kind} is not Supported`,
    });
  return errors;
}

export function immutableSelector(object: Workload, stored: Workload): readonly FieldError[] {
  return sameJson(object.spec?.selector, stored.spec?.selector)
    ? []
    : [invalid("spec.selector", object.spec?.selector, "field is immutable")];
}

type Strategy =
  | {
      readonly type?: string | undefined;
      readonly rollingUpdate?:
        | {
            readonly maxUnavailable?: number | string | undefined;
            readonly maxSurge?: number | string | undefined;
          }
        | undefined;
    }
  | undefined;

/** A DaemonSet's update strategy: rolling with a bound that lets it move, or OnDelete. */
export function validateUpdateStrategy(strategy: Strategy): readonly FieldError[] {
  const path = "spec.updateStrategy";
  if (strategy?.type === "OnDelete") return [];
  if (strategy?.type !== "RollingUpdate")
    return [notSupported(path, goStrategy(strategy), ["RollingUpdate", "OnDelete"])];
  const at = `${path}.rollingUpdate`;
  const rolling = strategy.rollingUpdate;
  if (rolling === undefined) return [required(at)];
  const { maxUnavailable = 0, maxSurge = 0 } = rolling;
  const errors = validateBounds(at, { maxUnavailable, maxSurge });
  if (!isZero(maxUnavailable) && !isZero(maxSurge))
    errors.push(invalid(`${at}.maxSurge`, maxSurge, "may not be set when maxUnavailable is non-zero"));
  if (isZero(maxUnavailable) && isZero(maxSurge))
    errors.push(required(`${at}.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  return errors;
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
  const errors = validateBounds(path, { maxUnavailable, maxSurge });
  if (isZero(maxUnavailable) && isZero(maxSurge))
    errors.push(invalid(`${path}.maxUnavailable`, maxUnavailable, bothZero));
  return errors;
}

function validateBounds(
  path: string,
  bounds: { readonly maxUnavailable: number | string; readonly maxSurge: number | string },
): FieldError[] {
  return (["maxUnavailable", "maxSurge"] as const).flatMap((field) =>
    percentOrCount(`${path}.${field}`, bounds[field]),
  );
}

/** A strategy as complaints about it as a whole show it. */
export function goStrategy(strategy: Strategy): object {
  const rolling = strategy?.rollingUpdate;
  return {
    Type: strategy?.type ?? "",
    RollingUpdate:
      rolling === undefined
        ? null
        : { MaxUnavailable: rolling.maxUnavailable ?? 0, MaxSurge: rolling.maxSurge ?? 0 },
  };
}

/** What is no percentage counts as none. */
function isZero(value: number | string): boolean {
  return typeof value === "number"
    ? value === 0
    : !/^[0-9]+%$/.test(value) || Number.parseInt(value, 10) === 0;
}
