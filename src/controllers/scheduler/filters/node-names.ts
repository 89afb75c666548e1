import type { NodeSelectorTerm, Pod } from "#kube/generated/types";

/** The nodes a pod's required affinity names, as a daemon's does; undefined unless every term names some. None when they contradict. */
export function requiredNames({ spec }: Pod): ReadonlySet<string> | undefined {
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = required?.nodeSelectorTerms ?? [];
  const names = new Set<string>();
  for (const term of terms) {
    const named = namesOf(term);
    if (named === undefined) return undefined;
    for (const name of named) names.add(name);
  }
  return terms.length === 0 ? undefined : names;
}

function namesOf({ matchFields = [] }: NodeSelectorTerm): ReadonlySet<string> | undefined {
  let names: ReadonlySet<string> | undefined;
  for (const { key, operator, values = [] } of matchFields) {
    if (key !== "metadata.name" || operator !== "In") continue;
    const these = new Set(values);
    names = names === undefined ? these : names.intersection(these);
  }
  return names;
}
