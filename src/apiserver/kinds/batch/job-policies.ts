import type { JobSpec, PodFailurePolicyRule } from "#kube/generated/types";
import { duplicate, invalid, notSupported, problems, required, tooMany } from "../field/error.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

const MAX_RULES = 20;
const MAX_CODES = 255;
const ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS = ["In", "NotIn"];
const STATUSES = ["False", "True", "Unknown"];

/** What ends of pods mean for their job: each rule tells by exit codes or by conditions. */
export function validateFailurePolicy(path: string, spec: JobSpec): readonly FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? [];
  if (rules.length > MAX_RULES) return [tooMany(`${path}.rules`, rules.length, MAX_RULES)];
  return rules.flatMap((rule, i) => validateRule(`${path}.rules[${i}]`, rule, spec));
}

function validateRule(path: string, rule: PodFailurePolicyRule, spec: JobSpec): readonly FieldError[] {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  const errors: FieldError[] = [];
  if (!action)
    errors.push(
      required(`${path}.action`, `valid values: ${ACTIONS.map((one) => JSON.stringify(one)).join(", ")}`),
    );
  else if (!ACTIONS.includes(action)) errors.push(notSupported(`${path}.action`, action, ACTIONS));
  else if (action === "FailIndex" && spec.backoffLimitPerIndex === undefined)
    errors.push(invalid(`${path}.action`, action, "requires the backoffLimitPerIndex to be set"));
  const hasConditions = onPodConditions.length > 0;
  if (onExitCodes !== undefined && hasConditions)
    errors.push({
      ...invalid(path, rule, "specifying both OnExitCodes and OnPodConditions is not supported"),
      omitsValue: true,
    });
  if (onExitCodes === undefined && !hasConditions)
    errors.push({
      ...invalid(path, rule, "specifying one of OnExitCodes and OnPodConditions is required"),
      omitsValue: true,
    });
  if (onExitCodes !== undefined) errors.push(...validateCodes(`${path}.onExitCodes`, onExitCodes, spec));
  if (onPodConditions.length > MAX_RULES)
    return [...errors, tooMany(`${path}.onPodConditions`, onPodConditions.length, MAX_RULES)];
  return [
    ...errors,
    ...onPodConditions.flatMap(({ type, status }, i) => {
      const at = `${path}.onPodConditions[${i}]`;
      return [
        ...problems(`${at}.type`, type, qualifiedNameProblems(type)),
        ...(status && !STATUSES.includes(status) ? [notSupported(`${at}.status`, status, STATUSES)] : []),
      ];
    }),
  ];
}

type ExitCodes = NonNullable<PodFailurePolicyRule["onExitCodes"]>;

function validateCodes(
  path: string,
  { containerName, operator, values = [] }: ExitCodes,
  spec: JobSpec,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const pod = spec.template?.spec;
  const names = [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].map(({ name }) => name);
  if (containerName !== undefined && !names.includes(containerName))
    errors.push(
      invalid(
        `${path}.containerName`,
        containerName,
        "must be one of the container or initContainer names in the pod template",
      ),
    );
  if (!OPERATORS.includes(operator)) errors.push(notSupported(`${path}.operator`, operator, OPERATORS));
  const at = `${path}.values`;
  if (values.length === 0) return [...errors, invalid(at, values, "at least one value is required")];
  if (values.length > MAX_CODES) return [...errors, tooMany(at, values.length, MAX_CODES)];
  values.forEach((value, i) => {
    if (operator === "In" && value === 0)
      errors.push(invalid(`${at}[${i}]`, value, "must not be 0 for the In operator"));
    if (values.indexOf(value) < i) errors.push(duplicate(`${at}[${i}]`, value));
  });
  if (values.some((value, i) => i > 0 && value < (values[i - 1] ?? value)))
    errors.push(invalid(at, values, "must be ordered"));
  return errors;
}

/** When an Indexed job has had enough of its indexes succeed. */
export function validateSuccessPolicy(path: string, spec: JobSpec): readonly FieldError[] {
  const { successPolicy, completionMode, completions = 0 } = spec;
  if (successPolicy === undefined) return [];
  if (completionMode !== "Indexed") return [invalid(path, successPolicy, "requires indexed completion mode")];
  const rules = successPolicy.rules ?? [];
  if (rules.length === 0)
    return [
      required(`${path}.rules`, "at least one rules must be specified when the successPolicy is specified"),
    ];
  if (rules.length > MAX_RULES) return [tooMany(`${path}.rules`, rules.length, MAX_RULES)];
  return rules.flatMap(({ succeededIndexes: indexes, succeededCount: count }, i) => {
    const at = `${path}.rules[${i}]`;
    if (indexes === undefined && count === undefined)
      return [required(at, "at least one of succeededCount or succeededIndexes must be specified")];
    const errors: FieldError[] = [];
    const total = indexes === undefined ? completions : countOf(indexes, completions);
    if (typeof total === "string")
      errors.push(invalid(`${at}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${total}`));
    if (count === undefined) return errors;
    if (count <= 0) errors.push(invalid(`${at}.succeededCount`, count, "must be greater than or equal to 0"));
    if (count > completions)
      errors.push(
        invalid(
          `${at}.succeededCount`,
          count,
          `must be less than or equal to ${completions} (the number of specified completions)`,
        ),
      );
    else if (typeof total === "number" && count > total)
      errors.push(
        invalid(
          `${at}.succeededCount`,
          count,
          `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`,
        ),
      );
    return errors;
  });
}

/** How many indexes `1,3-5` names; what is wrong when it names none. */
function countOf(text: string, completions: number): number | string {
  let last = -1;
  let total = 0;
  for (const part of text.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) return `cannot convert string to integer for index: ${JSON.stringify(part)}`;
    const first = Number(match[1]);
    const end = match[2] === undefined ? first : Number(match[2]);
    if (match[2] !== undefined && end <= first)
      return `non-increasing order, previous: ${first}, current: ${end}`;
    if (first <= last) return `non-increasing order, previous: ${last}, current: ${first}`;
    if (end >= completions) return `too large index: ${JSON.stringify(String(end))}`;
    total += end - first + 1;
    last = end;
  }
  return total;
}
