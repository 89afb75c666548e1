import type { LabelSelector } from "#kube/generated/types";
import type { FieldError } from "../kind.ts";
import { forbidden, invalid, required } from "./error.ts";
import { labelValueProblems, qualifiedNameProblems } from "./names.ts";

type Labels = Readonly<Record<string, string>> | undefined | null;

export function validateLabels(path: string, labels: Labels): readonly FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...qualifiedNameProblems(key).map((problem) => invalid(path, key, problem)),
    ...labelValueProblems(value).map((problem) => invalid(path, value, problem)),
  ]);
}

export function validateLabelSelector(
  path: string,
  selector: LabelSelector | undefined | null,
): readonly FieldError[] {
  if (selector === undefined || selector === null) return [];
  return [
    ...validateLabels(`${path}.matchLabels`, selector.matchLabels),
    ...(selector.matchExpressions ?? []).flatMap((requirement, i) =>
      validateRequirement(`${path}.matchExpressions[${i}]`, requirement),
    ),
  ];
}

/** A selector as complaints about it as a whole show it. */
export function goSelector({ matchLabels, matchExpressions }: LabelSelector): object {
  return {
    ...(matchLabels && { matchLabels: sortedMap(matchLabels) }),
    ...(matchExpressions && {
      matchExpressions: matchExpressions.map(({ key, operator, values }) => ({
        key,
        operator,
        ...(values && values.length > 0 && { values }),
      })),
    }),
  };
}

/** Go writes maps in the order of their keys. */
export function sortedMap<T>(map: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function validateRequirement(
  path: string,
  { key, operator, values }: { key: string; operator: string; values?: readonly string[] | undefined },
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const given = values ?? [];
  if (operator === "In" || operator === "NotIn") {
    if (given.length === 0)
      errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    if (given.length > 0)
      errors.push(
        forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      );
  } else errors.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
  errors.push(...qualifiedNameProblems(key).map((problem) => invalid(`${path}.key`, key, problem)));
  const bad = given.flatMap((value, i) =>
    labelValueProblems(value).map((problem) => invalid(`${path}.values[${i}]`, value, problem)),
  );
  return [...errors, ...bad];
}
