import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from "#kube/generated/types";
import { VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS } from "#kube/resources";
import type { Admission } from "../../admit.ts";
import type { CelFault } from "../../cel/fault.ts";
import { Budget } from "../../cel/meter.ts";
import type { Rule } from "../../cel/rule.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { type Attributes, attributesOf, isExempt } from "../dynamic/attributes.ts";
import { type Decision, decide, type Said } from "./decision.ts";
import { type Invocation, invocations, type Judging } from "./invoke.ts";
import { Policies, type Policy } from "./policy.ts";
import { annotationsOf, judge } from "./validation.ts";
import { ruleOr } from "./variables.ts";

/** What one policy may cost for one write. */
export const POLICY_BUDGET = 10_000_000;

export interface Validation {
  readonly expression: string;
  readonly rule: Rule | CelFault;
  readonly message: string | undefined;
  readonly messageRule: Rule | CelFault | undefined;
  readonly reason: string;
}

export interface ValidatingPolicy extends Policy {
  readonly validations: readonly Validation[];
  readonly annotations: readonly { readonly key: string; readonly rule: Rule | CelFault }[];
}

/** Judges writes by the policies that are bound; the first denial is the answer. */
export function validatingPolicies(judging: Judging): Admission {
  const policies = new Policies<
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingPolicy
  >(
    judging.world,
    { policies: VALIDATING_ADMISSION_POLICIES, bindings: VALIDATING_ADMISSION_POLICY_BINDINGS },
    validatingPolicy,
  );
  return {
    name: "ValidatingAdmissionPolicy",
    isDynamic: true,
    validate: (request, context) => {
      if (policies.bound.length === 0 || isExempt(request)) return;
      const attributes = attributesOf(request, context);
      const decisions = policies.bound.flatMap((policy) => judgeBy(policy, attributes, { context, judging }));
      decide(decisions, attributes, context);
    },
  };
}

function validatingPolicy({ spec }: ValidatingAdmissionPolicy, shared: Policy): ValidatingPolicy {
  const { scope } = shared.variables;
  return {
    ...shared,
    validations: (spec?.validations ?? []).map(({ expression, message, messageExpression, reason }) => ({
      expression,
      rule: ruleOr(expression, scope),
      message,
      messageRule: messageExpression === undefined ? undefined : ruleOr(messageExpression, scope),
      reason: reason ?? "Invalid",
    })),
    annotations: (spec?.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      rule: ruleOr(valueExpression, scope),
    })),
  };
}

function judgeBy(
  policy: ValidatingPolicy,
  attributes: Attributes,
  { context, judging }: { readonly context: WriteContext; readonly judging: Judging },
): readonly Decision[] {
  const { ready, troubled } = invocations(policy, attributes, { context, judging });
  const annotations = new Map<string, string[]>();
  const decisions = [
    ...(policy.isIgnored
      ? []
      : troubled.map(({ binding, message }) => ({
          policy: policy.name,
          binding,
          said: { message, reason: "Invalid", expressionIndex: 0 } satisfies Said,
        }))),
    ...ready.flatMap((invocation) => evaluated(invocation, annotations)),
  ];
  for (const [key, values] of annotations) context.annotate?.(`${policy.name}/${key}`, values.join(", "));
  return decisions;
}

function evaluated(
  { policy, binding, bindings }: Invocation<ValidatingPolicy>,
  annotations: Map<string, string[]>,
): readonly Decision[] {
  const budget = new Budget(POLICY_BUDGET);
  const denials = policy.validations.flatMap((validation, expressionIndex) => {
    const said = judge(validation, bindings, { budget, isIgnored: policy.isIgnored });
    return said === undefined ? [] : [{ policy: policy.name, binding, said: { ...said, expressionIndex } }];
  });
  const { values, problems } = annotationsOf(policy.annotations, bindings, budget);
  for (const [key, value] of values) {
    const before = annotations.get(key) ?? [];
    if (!before.includes(value)) annotations.set(key, [...before, value]);
  }
  const troubles = policy.isIgnored
    ? []
    : problems.map((message) => ({
        policy: policy.name,
        binding,
        said: { message, reason: "Invalid", expressionIndex: 0 },
      }));
  return [...denials, ...troubles];
}
