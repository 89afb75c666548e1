import type { PolicyRule, RoleBinding } from "#kube/generated/types";
import type { Admission, AdmissionRequest } from "../admit.ts";
import { sameJson } from "../kinds/field/same.ts";
import type { WriteContext } from "../kinds/kind.ts";
import { forbidden } from "../status.ts";
import { allows, heldRules, rulesOf, uncovered } from "./held-rules.ts";

const GROUP = "rbac.authorization.k8s.io";

/** Nobody hands out rights they do not have, unless a rule lets them `escalate` roles or `bind` the very role.
 *  @see rbac's policybased storage in kubernetes pkg/registry/rbac */
export const rbacEscalation: Admission = {
  name: "RBACEscalation",
  validate: (request, context) => {
    const { spec, operation, namespace, name, draft, stored } = request;
    if (spec.resource.group !== GROUP || operation === "delete") return;
    if (context.user.groups.includes("system:masters") || isUnchanged(draft, stored)) return;
    const held = heldRules(context, namespace);
    const missing = uncovered(grantedBy(request, context), held);
    if (missing.length === 0 || isExempt(request, held)) return;
    throw forbidden(spec.resource, name, refusal(context, missing));
  },
};

/** What counts is what is granted to whom; labels may change freely. */
function isUnchanged(draft: AdmissionRequest["draft"], stored: AdmissionRequest["stored"]): boolean {
  if (stored === undefined) return false;
  const part = ({ rules, roleRef, subjects }: AdmissionRequest["draft"]) => ({ rules, roleRef, subjects });
  return sameJson(part(draft), part(stored));
}

function grantedBy({ draft, namespace }: AdmissionRequest, context: WriteContext): readonly PolicyRule[] {
  if (draft.roleRef === undefined) return draft.rules ?? [];
  const binding: RoleBinding = draft;
  return rulesOf(binding, context, namespace);
}

function isExempt({ spec, name, draft }: AdmissionRequest, held: readonly PolicyRule[]): boolean {
  const isBinding = draft.roleRef !== undefined;
  const wanted = isBinding
    ? {
        verb: "bind",
        group: GROUP,
        resource: draft.roleRef.kind === "ClusterRole" ? "clusterroles" : "roles",
        name: draft.roleRef.name,
      }
    : { verb: "escalate", group: GROUP, resource: spec.resource.plural, name };
  return held.some((rule) => allows(rule, wanted));
}

function refusal({ user }: WriteContext, missing: readonly PolicyRule[]): string {
  const who = `user ${JSON.stringify(user.name)} (groups=${JSON.stringify(user.groups)})`;
  const lines = missing.map(ruleText).sort();
  return [`${who} is attempting to grant RBAC permissions not currently held:`, ...new Set(lines)].join("\n");
}

/** As kube-apiserver writes a rule: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`. */
function ruleText({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: PolicyRule): string {
  const parts = Object.entries({
    NonResourceURLs: nonResourceURLs,
    APIGroups: apiGroups,
    Resources: resources,
    ResourceNames: resourceNames,
    Verbs: verbs,
  }).filter(([, list]) => list !== undefined && list.length > 0);
  return `{${parts.map(([name, list]) => `${name}:${JSON.stringify(list)}`).join(", ")}}`;
}
