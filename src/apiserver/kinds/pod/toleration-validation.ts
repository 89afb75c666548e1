import type { Taint, Toleration } from "#kube/generated/types";
import { duplicate, invalid, notSupported, problems, required } from "../field/error.ts";
import { labelValueProblems, qualifiedNameProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const OPERATORS = ["Equal", "Exists"];

export function validateTolerations(
  path: string,
  tolerations: readonly Toleration[] | undefined,
): readonly FieldError[] {
  return (tolerations ?? []).flatMap((toleration, i) => validateToleration(`${path}[${i}]`, toleration));
}

function validateToleration(path: string, toleration: Toleration): readonly FieldError[] {
  const { key = "", operator = "", effect = "", value = "", tolerationSeconds } = toleration;
  const errors: FieldError[] = [];
  if (key !== "") errors.push(...problems(`${path}.key`, key, qualifiedNameProblems(key)));
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
  errors.push(...validateOperator(`${path}.operator`, operator, value));
  if (effect !== "" && !EFFECTS.includes(effect))
    errors.push(notSupported(`${path}.effect`, effect, EFFECTS));
  return errors;
}

function validateOperator(path: string, operator: string, value: string): readonly FieldError[] {
  if (operator === "" || operator === "Equal") {
    const whys = labelValueProblems(value);
    return whys.length === 0 ? [] : [invalid(path, value, whys.join(";"))];
  }
  if (operator !== "Exists") return [notSupported(path, operator, OPERATORS)];
  return value === "" ? [] : [invalid(path, value, "value must be empty when `operator` is 'Exists'")];
}

/** The taints of a node: each key and effect once. */
export function validateTaints(path: string, taints: readonly Taint[] | undefined): readonly FieldError[] {
  const seen = new Set<string>();
  return (taints ?? []).flatMap((taint, i) => {
    const at = `${path}[${i}]`;
    const errors = [...problems(`${at}.key`, taint.key, qualifiedNameProblems(taint.key))];
    const whys = labelValueProblems(taint.value ?? "");
    if (whys.length > 0) errors.push(invalid(`${at}.value`, taint.value, whys.join(";")));
    if (!taint.effect) errors.push(required(`${at}.effect`));
    else if (!EFFECTS.includes(taint.effect))
      errors.push(notSupported(`${at}.effect`, taint.effect, EFFECTS));
    const id = `${taint.key}:${taint.effect}`;
    if (seen.has(id))
      errors.push({
        ...duplicate(at, taint),
        detail: "taints must be unique by key and effect pair",
      });
    seen.add(id);
    return errors;
  });
}
