import type { ClusterRole, PolicyRule, Role, RoleRef } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { CLUSTER_ROLES, ROLES } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../admit.ts";
import type { Authorizer, RoleRules } from "../auth/authorize.ts";
import { compactRules, quotedList, ruleText, uncoveredRules } from "../auth/rules.ts";
import { isMaster } from "../auth/user.ts";
import { sameJson } from "../kinds/field/same.ts";
import type { Draft, WriteContext } from "../kinds/kind.ts";
import { forbidden, notFound } from "../status.ts";

const GROUP = "rbac.authorization.k8s.io";
const EVERYTHING: readonly PolicyRule[] = [
  { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
  { nonResourceURLs: ["*"], verbs: ["*"] },
];

type Rights = Pick<Authorizer, "decide" | "heldRules">;

/** Nobody hands out rights they do not have, unless a rule lets them `escalate` roles or `bind` the very role.
 *  @see kubernetes pkg/registry/rbac: the policybased storages, and validation/rule.go */
export function rbacEscalation(rights: Rights): Admission {
  return {
    name: "RBACEscalation",
    validate: (request, context) => {
      const { spec, operation, draft, stored } = request;
      if (spec.resource.group !== GROUP || operation === "delete" || isMaster(context.user)) return;
      if (stored !== undefined && onlyForCollection(draft, stored)) return;
      if (draft.roleRef !== undefined) checkBinding(request, context, rights);
      else if (draft.rules !== undefined || draft.aggregationRule !== undefined || stored !== undefined)
        checkRole(request, context, rights);
    },
  };
}

function checkRole(request: AdmissionRequest, context: WriteContext, rights: Rights): void {
  const { spec, namespace, name, draft, stored } = request;
  const { group, plural } = spec.resource;
  const escalate = { verb: "escalate", group, plural, subresource: undefined, namespace, name };
  if (rights.decide(context.user, escalate).allowed) return;
  refuseUnheld(request, context, {
    held: rights.heldRules(context.user, namespace),
    granted: draft.rules ?? [],
  });
  const before: Draft = stored;
  if (draft.aggregationRule === undefined && before?.aggregationRule === undefined) return;
  // Such a role gathers whatever there will be.
  if (uncoveredRules(EVERYTHING, rights.heldRules(context.user, namespace).rules).length > 0)
    throw forbidden(spec.resource, name, "must have cluster-admin privileges to use the aggregationRule");
}

function checkBinding(request: AdmissionRequest, context: WriteContext, rights: Rights): void {
  const { namespace, draft } = request;
  const roleRef: RoleRef = draft.roleRef;
  const plural = roleRef.kind === "ClusterRole" ? "clusterroles" : "roles";
  const bind = { verb: "bind", group: GROUP, plural, subresource: undefined, namespace, name: roleRef.name };
  if (rights.decide(context.user, bind).allowed) return;
  const role: Role | ClusterRole | undefined =
    roleRef.kind === "ClusterRole"
      ? context.read(CLUSTER_ROLES, undefined, roleRef.name)
      : context.read(ROLES, namespace, roleRef.name);
  // Upstream looks for it on the binding's own behalf.
  if (role === undefined) throw notFound(request.spec.resource, roleRef.name);
  refuseUnheld(request, context, {
    held: rights.heldRules(context.user, namespace),
    granted: role.rules ?? [],
  });
}

function refuseUnheld(
  { spec, name }: AdmissionRequest,
  { user }: WriteContext,
  rules: { readonly held: RoleRules; readonly granted: readonly PolicyRule[] },
): void {
  const missing = compactRules(uncoveredRules(rules.granted, rules.held.rules));
  if (missing.length === 0) return;
  const who = `user ${JSON.stringify(user.name)} (groups=${quotedList(user.groups)})`;
  const lines = [...new Set(missing.map(ruleText))].sort();
  const absent = rules.held.missing.map((role) => notFound(spec.resource, role).message);
  const errors = absent.length === 0 ? "" : `; resolution errors: [${absent.join(" ")}]`;
  const why = [`${who} is attempting to grant RBAC permissions not currently held:`, ...lines].join("\n");
  throw forbidden(spec.resource, name, `${why}${errors}`);
}

/** Whether a write changes only what the garbage collector does. */
function onlyForCollection(draft: Draft, stored: KubeObject): boolean {
  const rest = (object: Draft) => {
    const { ownerReferences, finalizers, managedFields, resourceVersion, ...metadata } = object.metadata;
    return { ...object, metadata };
  };
  return sameJson(rest(draft), rest(stored));
}
