import type { CustomResourceDefinitionNames } from "#kube/generated/types";
import { invalid } from "../kinds/field/error.ts";
import { label1035Problems } from "../kinds/field/names.ts";
import type { FieldError } from "../kinds/kind.ts";

/** Names that cannot stand in a URL, or that could be taken for each other. */
export function namesErrors(path: string, names: CustomResourceDefinitionNames | undefined): FieldError[] {
  if (names === undefined) return [];
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = names;
  const errors: FieldError[] = [];
  const check = (field: string, value: string | undefined, options: { mixed?: boolean } = {}) => {
    if (value === undefined || value === "") return;
    const problems = label1035Problems(options.mixed ? value.toLowerCase() : value);
    if (problems.length === 0) return;
    const hint = options.mixed ? "may have mixed case, but should otherwise match: " : "";
    errors.push(invalid(`${path}.${field}`, value, hint + problems.join(",")));
  };
  check("plural", plural);
  check("singular", singular);
  check("kind", kind, { mixed: true });
  check("listKind", listKind, { mixed: true });
  for (const [i, name] of shortNames.entries()) check(`shortNames[${i}]`, name);
  if (kind !== "" && kind === listKind)
    errors.push(invalid(`${path}.listKind`, listKind, "kind and listKind may not be the same"));
  for (const [i, category] of categories.entries()) check(`categories[${i}]`, category);
  return errors;
}
