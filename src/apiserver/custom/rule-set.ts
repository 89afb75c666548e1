import type { ValidationRule } from "#kube/generated/types";
import { CelFault } from "../cel/fault.ts";
import { compileRule, type Rule } from "../cel/rule.ts";
import { type RuleSchema, schemaEnvironment } from "../cel/schema.ts";
import { BOOL, STRING } from "../cel/types.ts";
import { readFieldPath } from "./field-path.ts";
import type { Schema } from "./schema.ts";

/** One rule of `x-kubernetes-validations`, compiled. */
export interface CompiledRule {
  readonly source: ValidationRule;
  /** Undefined when the rule does not compile; `problem` says why. */
  readonly rule: Rule | undefined;
  readonly problem: string | undefined;
  readonly message: Rule | undefined;
  readonly messageProblem: string | undefined;
  readonly usesOldSelf: boolean;
  /** Where errors are shown, below the rule's own place. */
  readonly fieldPath: string | undefined;
}

/** Compiles all rules of one schema node; an empty list where rules can say nothing. */
export function compileRules(schema: Schema, options: { readonly isRoot: boolean }): readonly CompiledRule[] {
  return (schema["x-kubernetes-validations"] ?? []).flatMap((source) => {
    const made = compileOne(schema, source, options.isRoot);
    return made === undefined ? [] : [made];
  });
}

function compileOne(schema: Schema, source: ValidationRule, isRoot: boolean): CompiledRule | undefined {
  // The checks of a definition let no lists of schemas through, which is all that the types differ in.
  const environment = schemaEnvironment(schema as RuleSchema, {
    isRoot,
    optionalOldSelf: source.optionalOldSelf === true,
  });
  if (environment === undefined) return undefined;
  const rule = attempt(() =>
    compileRule(source.rule, environment, {
      types: [BOOL],
      otherwise: "cel expression must evaluate to a bool",
    }),
  );
  const expression = source.messageExpression ?? "";
  const message =
    expression === ""
      ? undefined
      : attempt(() =>
          compileRule(expression, environment, {
            types: [STRING],
            otherwise: "must evaluate to a string",
          }),
        );
  const path = source.fieldPath
    ? readFieldPath(source.fieldPath, schema, { allowsBrackets: true })
    : undefined;
  return {
    source,
    rule: typeof rule === "string" ? undefined : rule,
    problem: typeof rule === "string" ? rule : undefined,
    message: typeof message === "string" ? undefined : message,
    messageProblem: typeof message === "string" ? message : undefined,
    usesOldSelf: typeof rule === "object" && rule.uses.has("oldSelf"),
    fieldPath: typeof path === "object" ? path.text : undefined,
  };
}

function attempt(compile: () => Rule): Rule | string {
  try {
    return compile();
  } catch (error) {
    if (error instanceof CelFault) return error.message;
    throw error;
  }
}
