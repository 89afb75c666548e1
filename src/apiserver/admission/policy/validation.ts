import { CelFault } from "../../cel/fault.ts";
import { type Budget, OUT_OF_BUDGET } from "../../cel/meter.ts";
import type { Bindings, Rule } from "../../cel/rule.ts";
import type { Value } from "../../cel/value.ts";
import type { Validation } from "./validating.ts";

const LONGEST_MESSAGE_BYTES = 5 * 1024;
const LONGEST_ANNOTATION_BYTES = 10 * 1024;

interface Denial {
  readonly message: string;
  readonly reason: string;
}

/** Why a validation denies; undefined when it does not. An expression that cannot be evaluated denies, unless failures are ignored. */
export function judge(
  validation: Validation,
  bindings: Bindings,
  { budget, isIgnored }: { readonly budget: Budget; readonly isIgnored: boolean },
): Denial | undefined {
  const said = evaluate(validation.rule, bindings, budget);
  if (said === true) return undefined;
  if (said instanceof CelFault) {
    if (isIgnored) return undefined;
    const message =
      said.message === OUT_OF_BUDGET
        ? said.message
        : `expression '${validation.expression}' resulted in error: ${said.message}`;
    return { message, reason: "Invalid" };
  }
  return { message: messageOf(validation, bindings, budget), reason: validation.reason };
}

function evaluate(rule: Rule | CelFault, bindings: Bindings, budget: Budget): Value | CelFault {
  if (rule instanceof CelFault) return rule;
  try {
    return rule.evaluate(bindings, budget);
  } catch (error) {
    if (error instanceof CelFault) return error;
    throw error;
  }
}

/** What the message expression says, when it says one line of sensible length; else the message; else what was asked. */
function messageOf(
  { message, messageRule, expression }: Validation,
  bindings: Bindings,
  budget: Budget,
): string {
  const made = messageRule === undefined ? undefined : evaluate(messageRule, bindings, budget);
  if (typeof made === "string" && isMessage(made)) return made.trim();
  return message?.trim() ?? `failed expression: ${expression.trim()}`;
}

function isMessage(text: string): boolean {
  const said = text.trim();
  return said !== "" && !said.includes("\n") && Buffer.byteLength(text) <= LONGEST_MESSAGE_BYTES;
}

/** What the annotations' expressions say; null and empty texts say nothing. */
export function annotationsOf(
  annotations: readonly { readonly key: string; readonly rule: Rule | CelFault }[],
  bindings: Bindings,
  budget: Budget,
): { readonly values: readonly (readonly [string, string])[]; readonly problems: readonly string[] } {
  const values: (readonly [string, string])[] = [];
  const problems: string[] = [];
  for (const { key, rule } of annotations) {
    const said = evaluate(rule, bindings, budget);
    if (said instanceof CelFault)
      problems.push(
        `expression '${rule instanceof CelFault ? key : rule.source}' resulted in error: ${said.message}`,
      );
    else if (typeof said === "string" && said.trim() !== "")
      values.push([key, said.trim().slice(0, LONGEST_ANNOTATION_BYTES)]);
  }
  return { values, problems };
}
