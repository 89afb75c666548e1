import type { CustomResourceDefinition, CustomResourceDefinitionNames } from "#kube/generated/types";
import { sameJson } from "../json.ts";

/** What of a definition's names it gets, and what keeps it from the rest. */
export interface Naming {
  readonly accepted: CustomResourceDefinitionNames;
  readonly conflict: { readonly reason: string; readonly message: string } | undefined;
}

/** Gives a definition the names that no other of its group has: what it holds already it keeps. */
export function nameOf(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
): Naming {
  const wanted = definition.spec.names;
  const held = definition.status?.acceptedNames;
  const resources = new Set(others.flatMap(({ status }) => resourceNames(status?.acceptedNames)));
  const kinds = new Set(others.flatMap(({ status }) => kindNames(status?.acceptedNames)));
  let conflict: Naming["conflict"];
  const taken = (name: string | undefined, before: string | undefined, all: ReadonlySet<string>) =>
    name !== undefined && name !== before && all.has(name)
      ? `${JSON.stringify(name)} is already in use`
      : undefined;
  const take = <T>(reason: string, problem: string | undefined, want: T, before: T): T => {
    if (problem === undefined) return want;
    conflict = { reason, message: problem };
    return before;
  };
  const short = shortNameProblem(wanted, held, resources);
  const accepted = {
    plural: take(
      "PluralConflict",
      taken(wanted.plural, held?.plural, resources),
      wanted.plural,
      held?.plural ?? "",
    ),
    singular: take(
      "SingularConflict",
      taken(wanted.singular, held?.singular, resources),
      wanted.singular,
      held?.singular,
    ),
    shortNames: take("ShortNamesConflict", short, wanted.shortNames, held?.shortNames),
    kind: take("KindConflict", taken(wanted.kind, held?.kind, kinds), wanted.kind, held?.kind ?? ""),
    listKind: take(
      "ListKindConflict",
      taken(wanted.listKind, held?.listKind, kinds),
      wanted.listKind,
      held?.listKind,
    ),
    categories: wanted.categories,
  };
  return { accepted: withoutUndefined(accepted), conflict };
}

function shortNameProblem(
  wanted: CustomResourceDefinitionNames,
  held: CustomResourceDefinitionNames | undefined,
  resources: ReadonlySet<string>,
): string | undefined {
  if (sameJson(wanted.shortNames, held?.shortNames)) return undefined;
  const problems = (wanted.shortNames ?? [])
    .filter((name) => !(held?.shortNames ?? []).includes(name) && resources.has(name))
    .map((name) => `${JSON.stringify(name)} is already in use`);
  if (problems.length === 0) return undefined;
  return problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`;
}

function resourceNames(names: CustomResourceDefinitionNames | undefined): string[] {
  return said([names?.plural, names?.singular, ...(names?.shortNames ?? [])]);
}

function kindNames(names: CustomResourceDefinitionNames | undefined): string[] {
  return said([names?.kind, names?.listKind]);
}

function said(names: readonly (string | undefined)[]): string[] {
  return names.flatMap((name) => (name ? [name] : []));
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as T;
}
