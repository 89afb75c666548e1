import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from "#kube/generated/types";
import { forbidden, invalid, problems, required } from "../field/error.ts";
import { labelValueProblems, qualifiedNameProblems, subdomainProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

/** Terms that nodes must meet: at least one, each of known operators. */
export function validateNodeSelector(path: string, selector: NodeSelector): readonly FieldError[] {
  const at = `${path}.nodeSelectorTerms`;
  if (!selector.nodeSelectorTerms?.length) return [required(at, "must have at least one node selector term")];
  return selector.nodeSelectorTerms.flatMap((term, i) =>
    validateNodeTerm(`${at}[${i}]`, term, { checksValues: true }),
  );
}

/** `checksValues`: values must be label values; what is only preferred may name anything. */
export function validateNodeTerm(
  path: string,
  { matchExpressions = [], matchFields = [] }: NodeSelectorTerm,
  options: { readonly checksValues: boolean },
): readonly FieldError[] {
  return [
    ...matchExpressions.flatMap((one, i) =>
      validateExpression(`${path}.matchExpressions[${i}]`, one, options),
    ),
    ...matchFields.flatMap((one, i) => validateField(`${path}.matchFields[${i}]`, one)),
  ];
}

function validateExpression(
  path: string,
  { key, operator, values = [] }: NodeSelectorRequirement,
  { checksValues }: { readonly checksValues: boolean },
): readonly FieldError[] {
  const errors = [...validateCount(path, operator, values.length)];
  errors.push(...problems(`${path}.key`, key, qualifiedNameProblems(key)));
  if (checksValues)
    values.forEach((value, i) => {
      errors.push(...problems(`${path}.values[${i}]`, value, labelValueProblems(value)));
    });
  return errors;
}

function validateCount(path: string, operator: string, count: number): readonly FieldError[] {
  const at = `${path}.values`;
  switch (operator) {
    case "In":
    case "NotIn":
      return count > 0 ? [] : [required(at, "must be specified when `operator` is 'In' or 'NotIn'")];
    case "Exists":
    case "DoesNotExist":
      return count === 0
        ? []
        : [forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    case "Gt":
    case "Lt":
      return count === 1
        ? []
        : [required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
    default:
      return [invalid(`${path}.operator`, operator, "not a valid selector operator")];
  }
}

/** Nodes can be asked for by one field only: their name. */
function validateField(
  path: string,
  { key, operator, values = [] }: NodeSelectorRequirement,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (operator !== "In" && operator !== "NotIn")
    errors.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
  else if (values.length !== 1)
    errors.push(
      required(
        `${path}.values`,
        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
      ),
    );
  if (key !== "metadata.name")
    return [...errors, invalid(`${path}.key`, key, "not a valid field selector key")];
  return [
    ...errors,
    ...values.flatMap((value, i) => problems(`${path}.values[${i}]`, value, subdomainProblems(value))),
  ];
}
