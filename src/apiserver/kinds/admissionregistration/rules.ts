import type { MatchResources, NamedRuleWithOperations } from "#kube/generated/types";
import { duplicate, invalid, notSupported, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { pathSegmentProblems } from "../field/names.ts";
import type { Draft, FieldError } from "../kind.ts";

const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES = ["*", "Cluster", "Namespaced"];
const MATCH_POLICIES = ["Equivalent", "Exact"];

/** What rules leave out. */
export function defaultRules(rules: Draft): void {
  for (const rule of rules ?? []) rule.scope ??= "*";
}

export function defaultMatch(match: Draft): void {
  if (!match) return;
  match.matchPolicy ??= "Equivalent";
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  defaultRules(match.resourceRules);
  defaultRules(match.excludeResourceRules);
}

export function matchPolicyErrors(path: string, policy: string | undefined): readonly FieldError[] {
  return policy === undefined || MATCH_POLICIES.includes(policy)
    ? []
    : [notSupported(path, policy, MATCH_POLICIES)];
}

export function validateMatch(
  path: string,
  match: MatchResources | undefined,
  options: { readonly needsRules: boolean },
): readonly FieldError[] {
  if (match === undefined) return options.needsRules ? [required(path)] : [];
  const { resourceRules = [], excludeResourceRules = [] } = match;
  return [
    ...matchPolicyErrors(`${path}.matchPolicy`, match.matchPolicy),
    ...validateLabelSelector(`${path}.namespaceSelector`, match.namespaceSelector),
    ...validateLabelSelector(`${path}.objectSelector`, match.objectSelector),
    ...(resourceRules.length === 0 && options.needsRules ? [required(`${path}.resourceRules`)] : []),
    ...validateRules(`${path}.resourceRules`, resourceRules),
    ...validateRules(`${path}.excludeResourceRules`, excludeResourceRules),
  ];
}

export function validateRules(
  path: string,
  rules: readonly NamedRuleWithOperations[] | undefined,
): readonly FieldError[] {
  return (rules ?? []).flatMap((rule, i) => validateRule(`${path}[${i}]`, rule));
}

function validateRule(path: string, rule: NamedRuleWithOperations): readonly FieldError[] {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  return [
    ...needed(`${path}.operations`, operations, "operations"),
    ...operations.flatMap((operation, i) =>
      OPERATIONS.includes(operation) ? [] : [notSupported(`${path}.operations[${i}]`, operation, OPERATIONS)],
    ),
    ...needed(`${path}.apiGroups`, apiGroups, "API groups"),
    ...needed(`${path}.apiVersions`, apiVersions, "API versions"),
    ...apiVersions.flatMap((version, i) => (version === "" ? [required(`${path}.apiVersions[${i}]`)] : [])),
    ...(resources.length === 0
      ? [required(`${path}.resources`)]
      : validateResources(`${path}.resources`, resources)),
    ...(scope === undefined || SCOPES.includes(scope) ? [] : [notSupported(`${path}.scope`, scope, SCOPES)]),
    ...validateNames(`${path}.resourceNames`, rule.resourceNames ?? []),
  ];
}

function needed(path: string, values: readonly string[], what: string): readonly FieldError[] {
  if (values.length === 0) return [required(path)];
  if (values.length === 1 || !values.includes("*")) return [];
  return [invalid(path, values, `if '*' is present, must not specify other ${what}`)];
}

/** No resource may be said again after a wildcard that says it. */
function validateResources(path: string, resources: readonly string[]): readonly FieldError[] {
  const errors: FieldError[] = [];
  const [withAny, ofAny] = [new Set<string>(), new Set<string>()];
  for (const [i, name] of resources.entries()) {
    const slash = name.indexOf("/");
    if (name === "") errors.push(required(`${path}[${i}]`));
    if (slash < 0) continue;
    const [resource, subresource] = [name.slice(0, slash), name.slice(slash + 1)];
    const twice = (wildcard: string) =>
      errors.push(invalid(`${path}[${i}]`, name, `if '${wildcard}' is present, must not specify ${name}`));
    if (withAny.has(resource)) twice(`${resource}/*`);
    if (ofAny.has(subresource)) twice(`*/${subresource}`);
    if (subresource === "*") withAny.add(resource);
    if (resource === "*") ofAny.add(subresource);
  }
  const all = "if '*/*' is present, must not specify other resources";
  if (resources.includes("*/*") && resources.length > 1) errors.push(invalid(path, resources, all));
  const plain = resources.filter((name) => name !== "" && name !== "*" && !name.includes("/"));
  if (resources.includes("*") && plain.length > 0)
    errors.push(
      invalid(path, resources, "if '*' is present, must not specify other resources without subresources"),
    );
  return errors;
}

/** Names that rules of policies are about. */
function validateNames(path: string, names: readonly string[]): readonly FieldError[] {
  return names.flatMap((name, i) => [
    ...pathSegmentProblems(name).map((why) => invalid(`${path}[${i}]`, name, why)),
    ...(names.indexOf(name) < i ? [duplicate(`${path}[${i}]`, name)] : []),
  ]);
}
