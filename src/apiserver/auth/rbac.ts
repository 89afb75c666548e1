import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
} from "#kube/generated/types";
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES } from "#kube/resources";
import type { World } from "../cache/world.ts";
import type { Decision, PathAttributes, ResourceAttributes } from "./attributes.ts";
import { BindingIndex, subjectKeys, subjectText } from "./binding-index.ts";
import { ruleAllows, ruleAllowsPath } from "./rules.ts";
import type { User } from "./user.ts";

const GROUP = "rbac.authorization.k8s.io";
type Binding = RoleBinding | ClusterRoleBinding;

/** One binding that holds for a user, with the rules of its role. */
interface Grant {
  readonly binding: Binding;
  readonly rules: readonly PolicyRule[];
  /** The subject's place in the binding that the user is, as kube-apiserver writes it. */
  readonly to: string;
}

/** A role that a binding names and that is not there. */
export type MissingRole = Pick<RoleRef, "kind" | "name">;

export function missingText({ kind, name }: MissingRole): string {
  return `${kind.toLowerCase()}.${GROUP} ${JSON.stringify(name)} not found`;
}

/** Roles and bindings. A question costs as much as the asker has bindings, however many others there are. */
export class Rbac {
  readonly #world: World;
  readonly #everywhere: BindingIndex<ClusterRoleBinding>;
  readonly #inNamespaces: BindingIndex<RoleBinding>;

  constructor(world: World) {
    this.#world = world;
    this.#everywhere = new BindingIndex(world.cacheOf(GROUP, CLUSTER_ROLE_BINDINGS.plural));
    this.#inNamespaces = new BindingIndex(world.cacheOf(GROUP, ROLE_BINDINGS.plural));
  }

  decide(user: User, attributes: ResourceAttributes): Decision {
    return this.#decide(user, attributes.namespace, (rule) => ruleAllows(rule, attributes));
  }

  decidePath(user: User, attributes: PathAttributes): Decision {
    return this.#decide(user, undefined, (rule) => ruleAllowsPath(rule, attributes));
  }

  /** Every rule that holds for a user: everywhere, and in `namespace` when there is one; and the roles that were not there. */
  rulesOf(
    user: User,
    namespace: string | undefined,
  ): { readonly rules: readonly PolicyRule[]; readonly missing: readonly MissingRole[] } {
    const missing: MissingRole[] = [];
    const rules = [...this.#grants(user, namespace, missing)].flatMap((grant) => grant.rules);
    return { rules, missing };
  }

  #decide(user: User, namespace: string | undefined, allows: (rule: PolicyRule) => boolean): Decision {
    const missing: MissingRole[] = [];
    for (const grant of this.#grants(user, namespace, missing))
      if (grant.rules.some(allows)) return { allowed: true, reason: `RBAC: allowed by ${grantText(grant)}` };
    return {
      allowed: false,
      reason: missing.length === 0 ? "" : `RBAC: ${joined(missing.map(missingText))}`,
    };
  }

  *#grants(user: User, namespace: string | undefined, missing: MissingRole[]): Generator<Grant> {
    const keys = subjectKeys(user);
    for (const { binding, key } of this.#everywhere.boundTo(keys, ""))
      yield { binding, rules: this.#rules(binding, "", missing), to: subjectText(key) };
    if (namespace === undefined) return;
    for (const { binding, key } of this.#inNamespaces.boundTo(keys, namespace))
      yield { binding, rules: this.#rules(binding, namespace, missing), to: subjectText(key) };
  }

  #rules({ roleRef }: Binding, namespace: string, missing: MissingRole[]): readonly PolicyRule[] {
    const { kind, name } = roleRef;
    const role: Role | ClusterRole | undefined =
      kind === "ClusterRole"
        ? this.#world.read(CLUSTER_ROLES, undefined, name)
        : this.#world.read(ROLES, namespace, name);
    if (role !== undefined) return role.rules ?? [];
    missing.push({ kind, name });
    return [];
  }
}

function grantText({ binding, to }: Grant): string {
  const { name, namespace } = binding.metadata;
  const scope =
    namespace === undefined
      ? `ClusterRoleBinding ${JSON.stringify(name)}`
      : `RoleBinding ${JSON.stringify(`${name}/${namespace}`)}`;
  return `${scope} of ${binding.roleRef.kind} ${JSON.stringify(binding.roleRef.name)} to ${to}`;
}

/** As Go prints several errors as one: each of them once. */
function joined(messages: readonly string[]): string {
  const distinct = [...new Set(messages)];
  return distinct.length === 1 ? (distinct[0] ?? "") : `[${distinct.join(", ")}]`;
}
