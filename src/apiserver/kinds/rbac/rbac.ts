import type {
  AggregationRule,
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { invalid, notSupported, problems, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { pathSegmentProblems, subdomainProblems } from "../field/names.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";

const GROUP = "rbac.authorization.k8s.io";

const shared = { createsOnUpdate: true, nameRule: "path-segment" } as const;

export const roles: KindSpec<Role> = kindSpec<Role>({
  ...shared,
  resource: ROLES,
  definition: "io.k8s.api.rbac.v1.Role",
  validate: ({ rules }) => validateRules(rules, { namespaced: true }),
});

export const clusterRoles: KindSpec<ClusterRole> = kindSpec<ClusterRole>({
  ...shared,
  resource: CLUSTER_ROLES,
  definition: "io.k8s.api.rbac.v1.ClusterRole",
  validate: ({ rules, aggregationRule }) => [
    ...validateRules(rules, { namespaced: false }),
    ...(aggregationRule ? validateAggregation(aggregationRule) : []),
  ],
});

function validateAggregation({ clusterRoleSelectors = [] }: AggregationRule): readonly FieldError[] {
  const path = "aggregationRule.clusterRoleSelectors";
  if (clusterRoleSelectors.length === 0)
    return [required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")];
  return clusterRoleSelectors.flatMap((selector, i) => {
    const at = `${path}[${i}]`;
    const errors = validateLabelSelector(at, selector);
    return errors.length === 0 ? [] : [...errors, invalid(at, null, "invalid label selector.")];
  });
}

export const roleBindings: KindSpec<RoleBinding> = kindSpec<RoleBinding>({
  ...shared,
  ...bindingParts<RoleBinding>(["Role", "ClusterRole"]),
  resource: ROLE_BINDINGS,
  definition: "io.k8s.api.rbac.v1.RoleBinding",
});

export const clusterRoleBindings: KindSpec<ClusterRoleBinding> = kindSpec<ClusterRoleBinding>({
  ...shared,
  ...bindingParts<ClusterRoleBinding>(["ClusterRole"]),
  resource: CLUSTER_ROLE_BINDINGS,
  definition: "io.k8s.api.rbac.v1.ClusterRoleBinding",
});

interface Binding extends KubeObject {
  readonly roleRef: RoleRef;
  readonly subjects?: readonly Subject[] | undefined;
}

function bindingParts<T extends Binding>(roleKinds: readonly string[]) {
  return {
    defaults: defaultBinding,
    validate: (binding: T) => validateBinding(binding, roleKinds),
    validateUpdate: (binding: T, stored: T) =>
      sameRole(binding.roleRef, stored.roleRef)
        ? []
        : [invalid("roleRef", inGo(binding.roleRef), "cannot change roleRef")],
    ...printer<T>([
      nameColumn,
      text("Role", ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
      ageColumn,
      wide("Users", (binding) => subjectNames(binding, "User")),
      wide("Groups", (binding) => subjectNames(binding, "Group")),
      wide("ServiceAccounts", (binding) => subjectNames(binding, "ServiceAccount")),
    ]),
  };
}

function subjectNames(binding: Binding, kind: string): string {
  return (binding.subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(({ name, namespace }) => (kind === "ServiceAccount" ? `${namespace ?? ""}/${name}` : name))
    .join(", ");
}

function defaultBinding(draft: Draft): void {
  if (draft.roleRef) draft.roleRef.apiGroup ||= GROUP;
  for (const subject of draft.subjects ?? [])
    if (subject.kind === "User" || subject.kind === "Group") subject.apiGroup ||= GROUP;
}

/** As kube-apiserver shows it. */
function inGo({ apiGroup, kind, name }: RoleRef): object {
  return { APIGroup: apiGroup, Kind: kind, Name: name };
}

function sameRole(a: RoleRef, b: RoleRef): boolean {
  return a.apiGroup === b.apiGroup && a.kind === b.kind && a.name === b.name;
}

function validateBinding(binding: Binding, roleKinds: readonly string[]): readonly FieldError[] {
  const { roleRef } = binding;
  const errors: FieldError[] = [];
  if (roleRef.apiGroup !== GROUP) errors.push(notSupported("roleRef.apiGroup", roleRef.apiGroup, [GROUP]));
  if (!roleKinds.includes(roleRef.kind)) errors.push(notSupported("roleRef.kind", roleRef.kind, roleKinds));
  if (!roleRef.name) errors.push(required("roleRef.name"));
  else errors.push(...problems("roleRef.name", roleRef.name, pathSegmentProblems(roleRef.name)));
  return [
    ...errors,
    ...(binding.subjects ?? []).flatMap((subject, i) =>
      validateSubject(subject, `subjects[${i}]`, roleKinds.includes("Role")),
    ),
  ];
}

/** Inside a namespace an account that names none is one of it. */
function validateSubject(subject: Subject, path: string, namespaced: boolean): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!subject.name) errors.push(required(`${path}.name`));
  else if (subject.kind === "ServiceAccount")
    errors.push(...problems(`${path}.name`, subject.name, subdomainProblems(subject.name)));
  if (!["ServiceAccount", "User", "Group"].includes(subject.kind))
    errors.push(notSupported(`${path}.kind`, subject.kind, ["ServiceAccount", "User", "Group"]));
  else if ((subject.apiGroup ?? "") !== (subject.kind === "ServiceAccount" ? "" : GROUP))
    errors.push(
      notSupported(`${path}.apiGroup`, subject.apiGroup ?? "", [
        subject.kind === "ServiceAccount" ? "" : GROUP,
      ]),
    );
  if (subject.kind === "ServiceAccount" && !subject.namespace && !namespaced)
    errors.push(required(`${path}.namespace`));
  return errors;
}

function validateRules(
  rules: readonly PolicyRule[] | undefined,
  { namespaced }: { namespaced: boolean },
): readonly FieldError[] {
  return (rules ?? []).flatMap((rule, i) => validateRule(rule, `rules[${i}]`, namespaced));
}

function validateRule(rule: PolicyRule, path: string, namespaced: boolean): readonly FieldError[] {
  const errors: FieldError[] = [];
  const urls = rule.nonResourceURLs ?? [];
  if (!rule.verbs?.length) errors.push(required(`${path}.verbs`, "verbs must contain at least one value"));
  if (urls.length > 0) {
    if (namespaced)
      errors.push(
        invalid(`${path}.nonResourceURLs`, urls, "namespaced rules cannot apply to non-resource URLs"),
      );
    if (rule.apiGroups?.length || rule.resources?.length || rule.resourceNames?.length)
      errors.push(
        invalid(
          `${path}.nonResourceURLs`,
          urls,
          "rules cannot apply to both regular resources and non-resource URLs",
        ),
      );
    return errors;
  }
  if (!rule.apiGroups?.length)
    errors.push(required(`${path}.apiGroups`, "resource rules must supply at least one api group"));
  if (!rule.resources?.length)
    errors.push(required(`${path}.resources`, "resource rules must supply at least one resource"));
  return errors;
}
