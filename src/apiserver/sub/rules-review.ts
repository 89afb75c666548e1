import type { PolicyRule } from "#kube/generated/types";
import type { JsonObject } from "../json.ts";
import { objectAt, textAt } from "../json.ts";
import { badRequest } from "../status.ts";
import type { ReviewAsker } from "./reviews.ts";

/** Everything the asker may do in a namespace, and on paths: what `kubectl auth can-i --list` shows. */
export function reviewRules(given: JsonObject, { api, user }: ReviewAsker): JsonObject {
  const namespace = textAt(objectAt(given, "spec"), "namespace") ?? "";
  if (namespace === "") throw badRequest("no namespace on request");
  const { rules, problems, isIncomplete } = api.authorizer.rulesOf(user, namespace);
  const paths = rules.filter(
    ({ nonResourceURLs }) => nonResourceURLs !== undefined && nonResourceURLs.length > 0,
  );
  const resources = rules.filter(({ apiGroups }) => apiGroups !== undefined && apiGroups.length > 0);
  return {
    resourceRules: resources.map(resourceRule),
    nonResourceRules: paths.map(({ verbs, nonResourceURLs }) => ({
      verbs: [...verbs],
      nonResourceURLs: [...(nonResourceURLs ?? [])],
    })),
    incomplete: isIncomplete,
    ...(problems.length === 0
      ? {}
      : { evaluationError: problems.length === 1 ? problems[0] : `[${problems.join(", ")}]` }),
  };
}

function resourceRule({ verbs, apiGroups = [], resources = [], resourceNames }: PolicyRule): JsonObject {
  return {
    verbs: [...verbs],
    apiGroups: [...apiGroups],
    resources: [...resources],
    ...(resourceNames === undefined || resourceNames.length === 0
      ? {}
      : { resourceNames: [...resourceNames] }),
  };
}
