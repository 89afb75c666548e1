import { isFault } from "#fault/fault";
import { parseSelector } from "#kube/label-selector";
import { type JsonObject, listAt, objectAt, textAt } from "../json.ts";
import { forbidden, invalid, problems, required } from "../kinds/field/error.ts";
import { labelValueProblems, qualifiedNameProblems } from "../kinds/field/names.ts";
import type { FieldError } from "../kinds/kind.ts";
import { parseTerms, type Requirement } from "../select/fields.ts";
import { StatusFault } from "../status.ts";

type SelectorField = "fieldSelector" | "labelSelector";
const FIELDS: readonly SelectorField[] = ["fieldSelector", "labelSelector"];
const LABEL_OPERATORS = new Set(["In", "NotIn", "Exists", "DoesNotExist"]);

/** What is wrong with the selectors of a review's resource attributes. Operators that nobody knows are let through: newer clients may know more.
 *  @see kubernetes pkg/apis/authorization/validation */
export function validateSelectors(resource: JsonObject | undefined): readonly FieldError[] {
  return FIELDS.flatMap((field) => {
    const selector = objectAt(resource, field);
    return selector === undefined
      ? []
      : validateSelector(selector, `spec.resourceAttributes.${field}`, field === "labelSelector");
  });
}

function validateSelector(selector: JsonObject, path: string, isLabels: boolean): readonly FieldError[] {
  const raw = textAt(selector, "rawSelector") ?? "";
  const requirements = listAt(selector, "requirements") ?? [];
  const errors: FieldError[] = [];
  if (raw !== "" && requirements.length > 0)
    errors.push(invalid(`${path}.rawSelector`, raw, "may not specified at the same time as requirements"));
  if (raw === "" && requirements.length === 0)
    errors.push(
      required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`),
    );
  return [
    ...errors,
    ...requirements.flatMap((requirement, i) => {
      const where = `${path}.requirements[${i}]`;
      return isLabels ? validateLabel(requirement, where) : validateField(requirement, where);
    }),
  ];
}

function validateField(requirement: unknown, path: string): readonly FieldError[] {
  const key = textAt(requirement, "key") ?? "";
  return [
    ...(key === "" ? [required(`${path}.key`, "must be specified")] : []),
    ...validateCount(requirement, path),
  ];
}

function validateLabel(requirement: unknown, path: string): readonly FieldError[] {
  const key = textAt(requirement, "key") ?? "";
  return [
    ...validateCount(requirement, path),
    ...problems(`${path}.key`, key, qualifiedNameProblems(key)),
    ...valuesOf(requirement).flatMap((value, i) =>
      problems(`${path}.values[${i}]`, value, labelValueProblems(value)),
    ),
  ];
}

function validateCount(requirement: unknown, path: string): readonly FieldError[] {
  const operator = textAt(requirement, "operator") ?? "";
  const { length } = valuesOf(requirement);
  if ((operator === "In" || operator === "NotIn") && length === 0)
    return [required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
  if ((operator === "Exists" || operator === "DoesNotExist") && length > 0)
    return [
      forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    ];
  return [];
}

/** What the field selector narrows a question to, and what had to be overlooked: that only makes the question wider. */
export function readSelectors(resource: JsonObject): {
  readonly fields: readonly Requirement[];
  readonly problems: readonly string[];
} {
  const fields = readFields(objectAt(resource, "fieldSelector"));
  const labels = readLabels(objectAt(resource, "labelSelector"));
  return {
    fields: fields.terms,
    problems: [...overlooked("fieldSelector", fields), ...overlooked("labelSelector", labels)],
  };
}

interface Read<T> {
  readonly terms: readonly T[];
  readonly isWhole: boolean;
}

function overlooked(field: SelectorField, { terms, isWhole }: Read<unknown>): readonly string[] {
  if (isWhole) return [];
  return [
    `spec.resourceAttributes.${field} ${terms.length > 0 ? "partially ignored" : "ignored"} due to parse error`,
  ];
}

function readFields(selector: JsonObject | undefined): Read<Requirement> {
  const raw = textAt(selector, "rawSelector") ?? "";
  if (raw !== "") return readOr(() => parseTerms(raw));
  const given = listAt(selector, "requirements") ?? [];
  const terms = given.flatMap((requirement): readonly Requirement[] => {
    const [value, ...rest] = valuesOf(requirement);
    const operator = textAt(requirement, "operator");
    if (value === undefined || rest.length > 0 || (operator !== "In" && operator !== "NotIn")) return [];
    return [{ field: textAt(requirement, "key") ?? "", equal: operator === "In", value }];
  });
  return { terms, isWhole: terms.length === given.length };
}

/** No authorizer looks at labels yet: only whether they could be read matters. */
function readLabels(selector: JsonObject | undefined): Read<unknown> {
  const raw = textAt(selector, "rawSelector") ?? "";
  if (raw !== "") return readOr(() => parseSelector(raw).matchExpressions ?? []);
  const given = listAt(selector, "requirements") ?? [];
  const terms = given.filter((requirement) => LABEL_OPERATORS.has(textAt(requirement, "operator") ?? ""));
  return { terms, isWhole: terms.length === given.length };
}

function readOr<T>(read: () => readonly T[]): Read<T> {
  try {
    return { terms: read(), isWhole: true };
  } catch (error) {
    if (error instanceof StatusFault || isFault(error)) return { terms: [], isWhole: false };
    throw error;
  }
}

function valuesOf(requirement: unknown): readonly string[] {
  return (listAt(requirement, "values") ?? []).filter((value) => typeof value === "string");
}
