import { isDeepStrictEqual } from "node:util";
import type { ClusterRole, PolicyRule } from "#kube/generated/types";
import { matchesSelector } from "#kube/label-selector";
import { isDeleting } from "#kube/owner";
import { CLUSTER_ROLES } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";

const MANAGER = "clusterrole-aggregation-controller";

/** A cluster role with an aggregation rule has the rules of all roles that the rule selects, in the order of their names.
 *  @see kubernetes pkg/controller/clusterroleaggregation */
export function runRoleAggregation(context: ControllerContext): void {
  const { clusterRoles } = context.informers;
  const queue = openQueue(context, MANAGER, {
    workers: 2,
    work: async (name) => {
      const role = clusterRoles.get(name);
      if (role?.aggregationRule !== undefined && !isDeleting(role)) await gather(context, role);
      return undefined;
    },
  });
  // Any role may be gathered by any other: there are few that gather.
  clusterRoles.subscribe(() => {
    for (const role of clusterRoles.list())
      if (role.aggregationRule !== undefined) queue.add(role.metadata.name);
  });
}

async function gather({ client, informers }: ControllerContext, role: ClusterRole): Promise<void> {
  const rules = gatheredRules(role, informers.clusterRoles.list());
  if (isDeepStrictEqual(rules, role.rules ?? [])) return;
  await client.patch(
    CLUSTER_ROLES,
    { name: role.metadata.name },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: role.metadata.name },
      rules,
    },
    { type: "apply", force: true, fieldManager: MANAGER },
  );
}

/** The rules of the selected roles, each once. */
export function gatheredRules(role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  const byName = [...all].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules: PolicyRule[] = [];
  for (const selector of selectors)
    for (const other of byName) {
      if (other.metadata.name === role.metadata.name) continue;
      if (!matchesSelector(selector, other.metadata.labels ?? {})) continue;
      for (const rule of other.rules ?? [])
        if (!rules.some((known) => isDeepStrictEqual(known, rule))) rules.push(rule);
    }
  return rules;
}
