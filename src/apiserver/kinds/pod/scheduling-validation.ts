import type { Affinity, NodeSelectorTerm, PodAffinityTerm, Toleration } from "#kube/generated/types";
import { invalid, notSupported, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const OPERATORS = ["Equal", "Exists"];
const NODE_OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

export function validateTolerations(
  path: string,
  tolerations: readonly Toleration[] | undefined,
): readonly FieldError[] {
  return (tolerations ?? []).flatMap((toleration, i) => validateToleration(`${path}[${i}]`, toleration));
}

function validateToleration(path: string, toleration: Toleration): readonly FieldError[] {
  const { key = "", operator = "", effect = "", value = "", tolerationSeconds } = toleration;
  const errors: FieldError[] = [];
  if (key !== "") errors.push(...qualifiedNameProblems(key).map((why) => invalid(`${path}.key`, key, why)));
  else if (operator !== "Exists")
    errors.push(
      invalid(
        `${path}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  if (tolerationSeconds !== undefined && effect !== "NoExecute")
    errors.push(
      invalid(`${path}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"),
    );
  if (operator === "Exists" && value !== "")
    errors.push(invalid(`${path}.operator`, toleration, "value must be empty when `operator` is 'Exists'"));
  if (operator !== "" && !OPERATORS.includes(operator))
    errors.push(notSupported(`${path}.operator`, operator, OPERATORS));
  if (effect !== "" && !EFFECTS.includes(effect))
    errors.push(notSupported(`${path}.effect`, effect, EFFECTS));
  return errors;
}

export function validateAffinity(path: string, affinity: Affinity | undefined): readonly FieldError[] {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {};
  const nodes = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const at = `${path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
  const errors: FieldError[] = [];
  if (nodes !== undefined && !nodes.nodeSelectorTerms?.length)
    errors.push(required(at, "must have at least one node selector term"));
  (nodes?.nodeSelectorTerms ?? []).forEach((term, i) => {
    errors.push(...validateNodeTerm(`${at}[${i}]`, term));
  });
  for (const [name, rules] of Object.entries({ podAffinity, podAntiAffinity })) {
    (rules?.requiredDuringSchedulingIgnoredDuringExecution ?? []).forEach((term, i) => {
      const place = `${path}.${name}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`;
      errors.push(...validatePodTerm(place, term));
    });
    (rules?.preferredDuringSchedulingIgnoredDuringExecution ?? []).forEach(
      ({ weight, podAffinityTerm }, i) => {
        const place = `${path}.${name}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
        if (weight < 1 || weight > 100)
          errors.push(invalid(`${place}.weight`, weight, "must be in the range 1-100"));
        errors.push(...validatePodTerm(`${place}.podAffinityTerm`, podAffinityTerm));
      },
    );
  }
  return errors;
}

function validateNodeTerm(path: string, { matchExpressions }: NodeSelectorTerm): readonly FieldError[] {
  return (matchExpressions ?? []).flatMap(({ key, operator, values = [] }, i) => {
    const at = `${path}.matchExpressions[${i}]`;
    const errors = qualifiedNameProblems(key).map((why) => invalid(`${at}.key`, key, why));
    if (!NODE_OPERATORS.includes(operator))
      errors.push(invalid(`${at}.operator`, operator, "not a valid selector operator"));
    if ((operator === "In" || operator === "NotIn") && values.length === 0)
      errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    return errors;
  });
}

function validatePodTerm(path: string, term: PodAffinityTerm): readonly FieldError[] {
  const errors = [...validateLabelSelector(`${path}.labelSelector`, term.labelSelector)];
  if (!term.topologyKey) errors.push(required(`${path}.topologyKey`, "can not be empty"));
  return errors;
}
