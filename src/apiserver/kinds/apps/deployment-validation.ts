import type { Deployment } from "#kube/generated/types";
import { forbidden, invalid, notSupported } from "../field/error.ts";
import { nonNegative } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";
import {
  goStrategy,
  validateReplicas,
  validateRollingUpdate,
  validateSelectorAndTemplate,
} from "./workload-validation.ts";

/** ReplicaSets are complained of in the same words. */
export const DEPLOYMENT_WORDS = {
  what: "deployment",
  unusable: "invalid label selector",
  kind: "ReplicaSet",
};

export function validateDeployment({ spec }: Deployment): readonly FieldError[] {
  return [
    ...validateReplicas(spec?.replicas),
    ...validateSelectorAndTemplate(spec, DEPLOYMENT_WORDS),
    ...validateStrategy(spec?.strategy),
    ...nonNegative("spec.minReadySeconds", spec?.minReadySeconds),
    ...nonNegative("spec.revisionHistoryLimit", spec?.revisionHistoryLimit),
    ...validateDeadline(spec?.progressDeadlineSeconds, spec?.minReadySeconds ?? 0),
  ];
}

type Strategy = NonNullable<NonNullable<Deployment["spec"]>["strategy"]>;

function validateStrategy(strategy: Strategy | undefined): readonly FieldError[] {
  const path = "spec.strategy";
  if (strategy?.type === "Recreate")
    return strategy.rollingUpdate === undefined
      ? []
      : [forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")];
  if (strategy?.type !== "RollingUpdate")
    return [notSupported(path, goStrategy(strategy), ["Recreate", "RollingUpdate"])];
  return validateRollingUpdate(
    `${path}.rollingUpdate`,
    strategy.rollingUpdate,
    "may not be 0 when `maxSurge` is 0",
  );
}

function validateDeadline(seconds: number | undefined, minReadySeconds: number): readonly FieldError[] {
  const path = "spec.progressDeadlineSeconds";
  const errors = [...nonNegative(path, seconds)];
  if (seconds !== undefined && seconds <= minReadySeconds)
    errors.push(invalid(path, seconds, "must be greater than minReadySeconds"));
  return errors;
}
