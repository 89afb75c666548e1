import type { Container } from "#kube/generated/types";
import { duplicate, invalid, notSupported, required, tooMany } from "../field/error.ts";
import type { FieldError } from "../kind.ts";

const RESTART_POLICIES = ["Always", "Never", "OnFailure"];
const RULE_ACTIONS = ["Restart", "RestartAllContainers"];
const OPERATORS = ["In", "NotIn"];
const MAX_RULES = 20;
const RESIZED = ["cpu", "memory"];
const RESIZE_POLICIES = ["NotRequired", "RestartContainer"];

/** A container's own restart policy, and the exits that make an exception of it. */
export function validateRestartPolicy(path: string, container: Container): readonly FieldError[] {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  const at = `${path}.restartPolicy`;
  const errors: FieldError[] = [];
  if (restartPolicy === undefined && rules.length > 0)
    errors.push(required(at, "must specify restartPolicy when restart rules are used"));
  if (restartPolicy !== undefined && !RESTART_POLICIES.includes(restartPolicy))
    errors.push(notSupported(at, restartPolicy, RESTART_POLICIES));
  if (rules.length > MAX_RULES) errors.push(tooMany(`${path}.restartPolicyRules`, rules.length, MAX_RULES));
  rules.forEach(({ action, exitCodes }, i) => {
    const place = `${path}.restartPolicyRules[${i}]`;
    if (!RULE_ACTIONS.includes(action)) errors.push(notSupported(`${place}.action`, action, RULE_ACTIONS));
    if (exitCodes === undefined) errors.push(required(`${place}.exitCodes`, "must be specified"));
    else if (!OPERATORS.includes(exitCodes.operator))
      errors.push(notSupported(`${place}.exitCodes.operator`, exitCodes.operator, OPERATORS));
  });
  return errors;
}

/** What happens to a container whose amounts change while it runs. */
export function validateResizePolicy(
  path: string,
  policies: Container["resizePolicy"],
  podPolicy: string | undefined,
): readonly FieldError[] {
  const seen = new Set<string>();
  return (policies ?? []).flatMap(({ resourceName, restartPolicy }, i) => {
    const errors: FieldError[] = [];
    if (seen.has(resourceName)) errors.push(duplicate(`${path}[${i}]`, resourceName));
    seen.add(resourceName);
    if (!resourceName) errors.push(required(path));
    else if (!RESIZED.includes(resourceName)) errors.push(notSupported(path, resourceName, RESIZED));
    if (!restartPolicy) errors.push(required(path));
    else if (!RESIZE_POLICIES.includes(restartPolicy))
      errors.push(notSupported(path, restartPolicy, RESIZE_POLICIES));
    if (podPolicy === "Never" && restartPolicy !== "NotRequired")
      errors.push(invalid(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
    return errors;
  });
}
