import { type AdmissionScope, admissionEnvironment } from "../../cel/admission.ts";
import type { Environment } from "../../cel/environment.ts";
import { CelFault } from "../../cel/fault.ts";
import { CANNOT_START, compileRule, type Rule } from "../../cel/rule.ts";
import { BOOL, type Type } from "../../cel/types.ts";
import { duplicate, invalid, required, tooMany } from "../field/error.ts";
import { qualifiedNameProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

const MOST_CONDITIONS = 64;

export interface Condition {
  readonly name: string;
  readonly expression: string;
}

/** What is wrong with an expression that has to give one of `types`. */
export function expressionErrors(
  path: string,
  source: string,
  { environment, types }: { environment: Environment; types: readonly Type[] },
): readonly FieldError[] {
  const { problem } = compiled(source, environment, { types });
  return problem === undefined ? [] : [compileError(path, source, problem)];
}

/** An expression that is right but cannot be run is nobody's mistake. */
export function compileError(path: string, value: unknown, problem: string): FieldError {
  if (problem.startsWith(CANNOT_START)) return { type: "Internal", path, detail: problem };
  return invalid(path, value, problem);
}

/** The rule, or why there is none. */
export function compiled(
  source: string,
  environment: Environment,
  expects?: { readonly types: readonly Type[] },
): { readonly rule?: Rule; readonly problem?: string } {
  try {
    return { rule: compileRule(source, environment, expects) };
  } catch (error) {
    if (error instanceof CelFault) return { problem: error.message };
    throw error;
  }
}

export const MUST_BE_BOOL = { types: [BOOL] } as const;

/** @see ValidateMatchConditions of kube-apiserver */
export function conditionErrors(
  path: string,
  conditions: readonly Condition[] | undefined,
  scope: AdmissionScope,
): readonly FieldError[] {
  if (!conditions?.length) return [];
  const environment = admissionEnvironment(scope);
  const errors: FieldError[] = [];
  if (conditions.length > MOST_CONDITIONS) errors.push(tooMany(path, conditions.length, MOST_CONDITIONS));
  const names = new Set<string>();
  for (const [i, { name, expression }] of conditions.entries()) {
    const at = `${path}[${i}]`;
    if (!expression?.trim()) errors.push(required(`${at}.expression`));
    else errors.push(...expressionErrors(`${at}.expression`, expression, { environment, ...MUST_BE_BOOL }));
    if (!name) errors.push(required(`${at}.name`));
    else errors.push(...qualifiedNameProblems(name).map((problem) => invalid(`${at}.name`, name, problem)));
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
  }
  return errors;
}
