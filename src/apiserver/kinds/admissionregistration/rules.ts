import type { MatchResources, RuleWithOperations } from "#kube/generated/types";
import { invalid, notSupported, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
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
  rules: readonly RuleWithOperations[] | undefined,
): readonly FieldError[] {
  return (rules ?? []).flatMap((rule, i) => validateRule(`${path}[${i}]`, rule));
}

function validateRule(path: string, rule: RuleWithOperations): readonly FieldError[] {
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
  ];
}

function needed(path: string, values: readonly string[], what: string): readonly FieldError[] {
  if (values.length === 0) return [required(path)];
  if (values.length === 1 || !values.includes("*")) return [];
  return [invalid(path, values, `if '*' is present, must not specify other ${what}`)];
}

/** No resource may be said twice, once by a wildcard. */
function validateResources(path: string, resources: readonly string[]): readonly FieldError[] {
  const errors: FieldError[] = [];
  const all = new Set(resources);
  if (all.has("*/*") && resources.length > 1)
    errors.push(invalid(path, resources, "if '*/*' is present, must not specify other resources"));
  const hasAny = all.has("*");
  for (const [i, name] of resources.entries()) {
    const at = `${path}[${i}]`;
    const [resource = "", subresource] = name.split("/");
    if (name === "") errors.push(required(at));
    else if (name.split("/").length > 2) errors.push(invalid(at, name, "cannot have more than one '/'"));
    else if (subresource === undefined) {
      if (hasAny && name !== "*")
        errors.push(
          invalid(at, name, "if '*' is present, must not specify other resources without subresources"),
        );
    } else if (subresource === "") errors.push(invalid(at, name, "resource must not end with '/'"));
    else if (subresource !== "*" && all.has(`${resource}/*`))
      errors.push(invalid(at, name, `if '${resource}/*' is present, must not specify ${name}`));
    else if (resource !== "*" && all.has(`*/${subresource}`) && subresource !== "*")
      errors.push(invalid(at, name, `if '*/${subresource}' is present, must not specify ${name}`));
  }
  return errors;
}
