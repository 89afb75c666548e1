import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from "#kube/generated/types";
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES } from "#kube/resources";
import type { WriteContext } from "../kinds/kind.ts";

type Binding = RoleBinding | ClusterRoleBinding;

/** All that roles allow the caller: everywhere, and in `namespace` when there is one. */
export function heldRules(context: WriteContext, namespace: string | undefined): readonly PolicyRule[] {
  const everywhere: readonly Binding[] = context.list(CLUSTER_ROLE_BINDINGS);
  const here: readonly Binding[] = namespace === undefined ? [] : context.list(ROLE_BINDINGS, namespace);
  return [
    ...everywhere.filter((one) => binds(one, context, "")).flatMap((one) => rulesOf(one, context, undefined)),
    ...here
      .filter((one) => binds(one, context, namespace ?? ""))
      .flatMap((one) => rulesOf(one, context, namespace)),
  ];
}

/** The rules of the role that a binding points to; none when it is not there. */
export function rulesOf(
  { roleRef }: Binding,
  context: WriteContext,
  namespace: string | undefined,
): readonly PolicyRule[] {
  const role: Role | ClusterRole | undefined =
    roleRef.kind === "ClusterRole"
      ? context.read(CLUSTER_ROLES, undefined, roleRef.name)
      : context.read(ROLES, namespace, roleRef.name);
  return role?.rules ?? [];
}

function binds({ subjects = [] }: Binding, { user }: WriteContext, namespace: string): boolean {
  return subjects.some((subject) => {
    if (subject.kind === "User") return subject.name === user.name;
    if (subject.kind === "Group") return user.groups.includes(subject.name);
    return user.name === `system:serviceaccount:${subject.namespace || namespace}:${subject.name}`;
  });
}

/** A rule about one verb on one resource (of one name, perhaps) or on one path. */
interface Single {
  readonly verb: string;
  readonly group?: string;
  readonly resource?: string;
  readonly name?: string;
  readonly url?: string;
}

/** The parts of `wanted` that `held` does not allow, as rules of one verb each. */
export function uncovered(wanted: readonly PolicyRule[], held: readonly PolicyRule[]): readonly PolicyRule[] {
  const missing = wanted.flatMap(singles).filter((single) => !held.some((rule) => allows(rule, single)));
  return missing.map(({ verb, group, resource, name, url }) =>
    url === undefined
      ? {
          apiGroups: [group ?? ""],
          resources: [resource ?? ""],
          ...(name === undefined ? {} : { resourceNames: [name] }),
          verbs: [verb],
        }
      : { nonResourceURLs: [url], verbs: [verb] },
  );
}

function singles(rule: PolicyRule): readonly Single[] {
  const names: readonly (string | undefined)[] = rule.resourceNames?.length
    ? rule.resourceNames
    : [undefined];
  return rule.verbs.flatMap((verb) => [
    ...(rule.nonResourceURLs ?? []).map((url) => ({ verb, url })),
    ...(rule.apiGroups ?? []).flatMap((group) =>
      (rule.resources ?? []).flatMap((resource) =>
        names.map((name) => ({ verb, group, resource, ...(name === undefined ? {} : { name }) })),
      ),
    ),
  ]);
}

export function allows(rule: PolicyRule, { verb, group, resource, name, url }: Single): boolean {
  if (!includes(rule.verbs, verb)) return false;
  if (url !== undefined)
    return (rule.nonResourceURLs ?? []).some(
      (held) => held === url || (held.endsWith("*") && url.startsWith(held.slice(0, -1))),
    );
  const [, subresource] = (resource ?? "").split("/");
  const resources = rule.resources ?? [];
  const isCovered =
    includes(resources, resource ?? "") ||
    (subresource !== undefined && resources.includes(`*/${subresource}`));
  const names = rule.resourceNames ?? [];
  return (
    includes(rule.apiGroups ?? [], group ?? "") &&
    isCovered &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
}

function includes(list: readonly string[], wanted: string): boolean {
  return list.includes("*") || list.includes(wanted);
}
