import type { MatchCondition } from "#kube/generated/types";
import type { Environment } from "../../cel/environment.ts";
import { CelFault } from "../../cel/fault.ts";
import { Budget, OUT_OF_BUDGET } from "../../cel/meter.ts";
import { type Bindings, compileRule, type Rule } from "../../cel/rule.ts";

/** What the conditions of one webhook or policy may cost together. */
const CONDITIONS_BUDGET = 2_500_000;

/** Whether all conditions hold; when one is false the others' errors do not count. */
export type Verdict =
  | { readonly kind: "holds" }
  | { readonly kind: "fails" }
  | { readonly kind: "error"; readonly message: string };

const HOLDS: Verdict = { kind: "holds" };

export type Conditions = (bindings: Bindings) => Verdict;

/** Conditions ready to be asked. Those that do not compile are errors whenever they are. */
export function openConditions(
  conditions: readonly MatchCondition[] | undefined,
  environment: () => Environment,
): Conditions {
  if (!conditions?.length) return () => HOLDS;
  const known = environment();
  const rules = conditions.map(({ expression }) => compiledOr(expression, known));
  return (bindings) => judge(rules, bindings);
}

function compiledOr(expression: string, environment: Environment): Rule | CelFault {
  try {
    return compileRule(expression, environment);
  } catch (error) {
    if (error instanceof CelFault) return error;
    throw error;
  }
}

function judge(rules: readonly (Rule | CelFault)[], bindings: Bindings): Verdict {
  const budget = new Budget(CONDITIONS_BUDGET);
  const errors: string[] = [];
  for (const rule of rules) {
    if (rule instanceof CelFault) {
      errors.push(rule.message);
      continue;
    }
    try {
      if (rule.evaluate(bindings, budget) === false) return { kind: "fails" };
    } catch (error) {
      if (!(error instanceof CelFault)) throw error;
      if (error.message === OUT_OF_BUDGET) return { kind: "error", message: OUT_OF_BUDGET };
      errors.push(`expression '${rule.source}' resulted in error: ${error.message}`);
    }
  }
  return errors.length === 0 ? HOLDS : { kind: "error", message: joined(errors) };
}

/** Several errors as Go's aggregate prints them. */
export function joined(errors: readonly string[]): string {
  return errors.length === 1 ? (errors[0] ?? "") : `[${errors.join(", ")}]`;
}
