import type { ValidationRule } from "#kube/generated/types";
import type { RuleSchema } from "../cel/schema.ts";
import { mostInOneRequest, sizesOf } from "../cel/sizes.ts";
import { compileError } from "../kinds/admissionregistration/expressions.ts";
import { invalid, notSupported, required } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { readFieldPath } from "./field-path.ts";
import { type CostTotal, costErrors } from "./rule-cost.ts";
import { type CompiledRule, compileRules } from "./rule-set.ts";
import type { Schema } from "./schema.ts";

const REASONS = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const LINE_BREAK = /[\n\r]/;

interface RulesPlace {
  readonly path: string;
  readonly isRoot: boolean;
  readonly uncorrelated: string | undefined;
  readonly count: number | undefined;
  readonly costs: CostTotal;
}

/** What is wrong with the validation rules of one schema node: their texts (`schema`), and their expressions (`rules`), which are looked at only if
 *  `compiles`. */
export function ruleErrors(
  schema: Schema,
  place: RulesPlace,
  options: { readonly compiles: boolean },
): { readonly schema: readonly FieldError[]; readonly rules: readonly FieldError[] } {
  const rules = schema["x-kubernetes-validations"] ?? [];
  const at = (i: number) => `${place.path}.x-kubernetes-validations[${i}]`;
  const texts = rules.flatMap((rule, i) => textErrors(rule, at(i), schema));
  if (rules.length === 0 || texts.length > 0 || !options.compiles) return { schema: texts, rules: [] };
  return { schema: [], rules: expressionErrors(schema, place) };
}

function textErrors(rule: ValidationRule, path: string, schema: Schema): FieldError[] {
  const errors: FieldError[] = [];
  const { message = "", messageExpression = "", fieldPath = "", reason } = rule;
  if (rule.rule.trim() === "") errors.push(required(`${path}.rule`, "rule is not specified"));
  else if (message !== "" && message.trim() === "")
    errors.push(invalid(`${path}.message`, message, "must be non-empty if specified"));
  else if (LINE_BREAK.test(message.trim()))
    errors.push(invalid(`${path}.message`, message, "must not contain line breaks"));
  else if (LINE_BREAK.test(rule.rule.trim()) && message.trim() === "")
    errors.push(required(`${path}.message`, "message must be specified if rule contains line breaks"));
  if (messageExpression !== "" && messageExpression.trim() === "")
    errors.push(required(`${path}.messageExpression`, "messageExpression must be non-empty if specified"));
  if (reason !== undefined && !REASONS.includes(reason))
    errors.push(notSupported(`${path}.reason`, reason, REASONS));
  if (fieldPath !== "" && fieldPath.trim() === "")
    errors.push(invalid(`${path}.fieldPath`, fieldPath, "must be non-empty if specified"));
  if (LINE_BREAK.test(fieldPath))
    errors.push(invalid(`${path}.fieldPath`, fieldPath, "must not contain line breaks"));
  if (fieldPath !== "" && typeof readFieldPath(fieldPath, schema, { allowsBrackets: true }) === "string")
    errors.push(invalid(`${path}.fieldPath`, fieldPath, "must be a valid path"));
  return errors;
}

function expressionErrors(schema: Schema, place: RulesPlace): FieldError[] {
  const { path, uncorrelated } = place;
  const isRoot = place.isRoot || schema["x-kubernetes-embedded-resource"] === true;
  const count = place.count ?? mostIn(schema, isRoot);
  return compileRules(schema, { isRoot }).flatMap((compiled, i) => {
    const at = `${path}.x-kubernetes-validations[${i}]`;
    const { source, problem, messageProblem, usesOldSelf } = compiled;
    const errors = costsOf(compiled, at, { count, costs: place.costs });
    if (problem !== undefined) errors.push(compileError(`${at}.rule`, source, problem));
    if (messageProblem !== undefined)
      errors.push(invalid(`${at}.messageExpression`, source, `messageExpression ${messageProblem}`));
    if (usesOldSelf && uncorrelated !== undefined)
      errors.push(
        invalid(
          `${at}.rule`,
          source.rule,
          `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated}`,
        ),
      );
    if (!usesOldSelf && source.optionalOldSelf !== undefined)
      errors.push(
        invalid(
          `${at}.optionalOldSelf`,
          source.optionalOldSelf,
          "may not be set if oldSelf is not used in rule",
        ),
      );
    return errors;
  });
}

/** What is too dear of a rule; all of it counts for the schema's total. */
function costsOf(
  { rule, message }: CompiledRule,
  at: string,
  { count, costs }: { readonly count: number; readonly costs: CostTotal },
): FieldError[] {
  const cost = (rule?.mostCost ?? 0) * count;
  const messageCost = message?.mostCost ?? 0;
  costs.observe(`${at}.rule`, cost);
  if (message !== undefined) costs.observe(`${at}.messageExpression`, messageCost);
  return [
    ...costErrors(`${at}.rule`, "estimated rule cost", cost),
    ...costErrors(`${at}.messageExpression`, "estimated messageExpression cost", messageCost),
  ];
}

/** How many values of a schema one request can hold. */
function mostIn(schema: Schema, isRoot: boolean): number {
  const sizes = sizesOf(schema as RuleSchema, isRoot);
  return sizes === undefined ? 1 : mostInOneRequest(sizes);
}
