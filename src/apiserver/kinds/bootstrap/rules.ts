import type { PolicyRule } from "#kube/generated/types";

/** A rule in one line: API groups, resources and verbs as words, then the names it is limited to. The core group is `core`;
 *  `read` is get, list and watch, `write` is everything that changes something. */
export type RuleLine = readonly [groups: string, resources: string, verbs: string, names?: string];

const VERB_SETS: Readonly<Record<string, readonly string[]>> = {
  read: ["get", "list", "watch"],
  write: ["create", "delete", "deletecollection", "patch", "update"],
};

export function ruleOf([groups, resources, verbs, names]: RuleLine): PolicyRule {
  return {
    apiGroups: words(groups).map((group) => (group === "core" ? "" : group)),
    ...(names === undefined ? {} : { resourceNames: words(names) }),
    resources: words(resources),
    verbs: words(verbs)
      .flatMap((verb) => VERB_SETS[verb] ?? [verb])
      .sort(),
  };
}

export function rulesOf(lines: readonly RuleLine[]): readonly PolicyRule[] {
  return lines.map(ruleOf);
}

/** A rule over paths outside the API's resources. */
export function onPaths(...nonResourceURLs: string[]): PolicyRule {
  return { nonResourceURLs, verbs: ["get"] };
}

/** What everybody that tells what it does needs. */
export const EVENTS: RuleLine = ["core events.k8s.io", "events", "create patch update"];

function words(text: string): readonly string[] {
  return text.split(" ").filter((word) => word !== "");
}
