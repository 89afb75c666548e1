import type { FieldError } from "../kind.ts";
import { problems, required } from "./error.ts";
import { pathSegmentProblems, subdomainProblems } from "./names.ts";

/** A reference to an object of any kind: its group is a domain, its kind and name are there. */
export function validateReference(
  path: string,
  {
    apiGroup,
    kind,
    name,
  }: { readonly apiGroup?: string | undefined; readonly kind: string; readonly name: string },
): readonly FieldError[] {
  return [
    ...(apiGroup === undefined ? [] : problems(`${path}.apiGroup`, apiGroup, subdomainProblems(apiGroup))),
    ...(kind ? problems(`${path}.kind`, kind, pathSegmentProblems(kind)) : [required(`${path}.kind`)]),
    ...(name ? problems(`${path}.name`, name, pathSegmentProblems(name)) : [required(`${path}.name`)]),
  ];
}
