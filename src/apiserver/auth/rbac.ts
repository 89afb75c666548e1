import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from "#kube/generated/types";
import type { World } from "../cache/world.ts";
import type { Decision, PathAttributes, ResourceAttributes } from "./authorize.ts";
import type { User } from "./user.ts";

const GROUP = "rbac.authorization.k8s.io";
type Binding = RoleBinding | ClusterRoleBinding;

/** Roles and bindings, read from the cache at each question. */
export class Rbac {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  decide(user: User, attributes: ResourceAttributes): Decision {
    const missing: string[] = [];
    for (const { binding, rules, scope } of this.#bindings(user, attributes.namespace, missing)) {
      if (!rules.some((rule) => allows(rule, attributes))) continue;
      const role = `${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)}`;
      return {
        allowed: true,
        reason: `RBAC: allowed by ${scope} of ${role} to User ${JSON.stringify(user.name)}`,
      };
    }
    return { allowed: false, reason: missing.length === 0 ? "" : `RBAC: ${missing.join(", ")}` };
  }

  allowsPath(user: User, { verb, path }: PathAttributes): boolean {
    for (const { rules } of this.#bindings(user, undefined, []))
      if (
        rules.some(
          (rule) =>
            includes(rule.verbs, verb) && (rule.nonResourceURLs ?? []).some((url) => covers(url, path)),
        )
      )
        return true;
    return false;
  }

  *#bindings(
    user: User,
    namespace: string | undefined,
    missing: string[],
  ): Generator<{ binding: Binding; rules: readonly PolicyRule[]; scope: string }> {
    for (const binding of this.#objects<ClusterRoleBinding>("clusterrolebindings")) {
      if (!isSubject(binding, user, "")) continue;
      const rules = this.#rules(binding, "", missing);
      yield { binding, rules, scope: `ClusterRoleBinding ${JSON.stringify(binding.metadata.name)}` };
    }
    if (namespace === undefined) return;
    for (const binding of this.#objects<RoleBinding>("rolebindings", namespace)) {
      if (!isSubject(binding, user, namespace)) continue;
      const rules = this.#rules(binding, namespace, missing);
      yield {
        binding,
        rules,
        scope: `RoleBinding ${JSON.stringify(`${binding.metadata.name}/${namespace}`)}`,
      };
    }
  }

  #rules(binding: Binding, namespace: string, missing: string[]): readonly PolicyRule[] {
    const { kind, name } = binding.roleRef;
    const cache = this.#world.cacheOf(GROUP, kind === "ClusterRole" ? "clusterroles" : "roles");
    const role = cache?.get(kind === "ClusterRole" ? name : `${namespace}/${name}`)?.object;
    if (role === undefined) {
      missing.push(`${kind.toLowerCase()}.${GROUP} ${JSON.stringify(name)} not found`);
      return [];
    }
    // The cache of roles holds roles.
    return (role as Role | ClusterRole).rules ?? [];
  }

  #objects<T extends Binding>(plural: string, namespace?: string): readonly T[] {
    return (this.#world.cacheOf(GROUP, plural)?.objects(namespace) ?? []) as readonly T[];
  }
}

function isSubject({ subjects = [] }: Binding, user: User, namespace: string): boolean {
  return subjects.some((subject) => {
    if (subject.kind === "User") return subject.name === user.name;
    if (subject.kind === "Group") return user.groups.includes(subject.name);
    if (subject.kind !== "ServiceAccount") return false;
    return user.name === `system:serviceaccount:${subject.namespace || namespace}:${subject.name}`;
  });
}

function allows(
  rule: PolicyRule,
  { verb, group, plural, subresource, name = "" }: ResourceAttributes,
): boolean {
  if (!includes(rule.verbs, verb) || !includes(rule.apiGroups ?? [], group)) return false;
  const wanted = subresource === undefined ? plural : `${plural}/${subresource}`;
  const resources = rule.resources ?? [];
  const isCovered =
    includes(resources, wanted) || (subresource !== undefined && resources.includes(`*/${subresource}`));
  if (!isCovered) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || (name !== "" && names.includes(name));
}

function includes(list: readonly string[], wanted: string): boolean {
  return list.includes("*") || list.includes(wanted);
}

function covers(url: string, path: string): boolean {
  return url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1)));
}
