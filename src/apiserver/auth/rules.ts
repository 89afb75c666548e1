import type { PolicyRule } from "#kube/generated/types";
import type { PathAttributes, ResourceAttributes } from "./attributes.ts";

/** Whether a rule lets its holder do this to a resource. A rule that names objects never covers a request that names none. */
export function ruleAllows(rule: PolicyRule, attributes: ResourceAttributes): boolean {
  const { verb, group, plural, subresource, name = "" } = attributes;
  if (!covers(rule.verbs, verb) || !covers(rule.apiGroups ?? [], group)) return false;
  if (!coversResource(rule.resources ?? [], plural, subresource)) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || names.includes(name);
}

/** Whether a rule lets its holder ask for a path: exactly, or by a prefix that ends in `*`. */
export function ruleAllowsPath(rule: PolicyRule, { verb, path }: PathAttributes): boolean {
  return covers(rule.verbs, verb) && (rule.nonResourceURLs ?? []).some((url) => coversPath(url, path));
}

function coversResource(
  resources: readonly string[],
  plural: string,
  subresource: string | undefined,
): boolean {
  if (subresource === undefined) return covers(resources, plural);
  return covers(resources, `${plural}/${subresource}`) || resources.includes(`*/${subresource}`);
}

function covers(list: readonly string[], wanted: string): boolean {
  return list.includes("*") || list.includes(wanted);
}

function coversPath(url: string, path: string): boolean {
  return url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1)));
}

/** The parts of `wanted` that no single rule of `held` covers: rules of one verb on one thing each.
 *  @see kubernetes component-helpers/auth/rbac/validation: Covers */
export function uncoveredRules(
  wanted: readonly PolicyRule[],
  held: readonly PolicyRule[],
): readonly PolicyRule[] {
  return wanted.flatMap(singleRules).filter((single) => !held.some((rule) => coversSingle(rule, single)));
}

/** A rule taken apart into its smallest pieces. */
function singleRules(rule: PolicyRule): readonly PolicyRule[] {
  const names: readonly (string | undefined)[] = rule.resourceNames?.length
    ? rule.resourceNames
    : [undefined];
  const onResources = (rule.apiGroups ?? []).flatMap((group) =>
    (rule.resources ?? []).flatMap((resource) =>
      rule.verbs.flatMap((verb) =>
        names.map((name) => ({
          apiGroups: [group],
          resources: [resource],
          verbs: [verb],
          ...(name === undefined ? {} : { resourceNames: [name] }),
        })),
      ),
    ),
  );
  const onPaths = (rule.nonResourceURLs ?? []).flatMap((url) =>
    rule.verbs.map((verb) => ({ nonResourceURLs: [url], verbs: [verb] })),
  );
  return [...onResources, ...onPaths];
}

function coversSingle(rule: PolicyRule, single: PolicyRule): boolean {
  const [verb = ""] = single.verbs;
  if (!covers(rule.verbs, verb)) return false;
  const [url] = single.nonResourceURLs ?? [];
  if (url !== undefined) return (rule.nonResourceURLs ?? []).some((held) => coversPath(held, url));
  const [resource = ""] = single.resources ?? [];
  const [plural = "", subresource] = resource.split("/", 2);
  if (!covers(rule.apiGroups ?? [], single.apiGroups?.[0] ?? "")) return false;
  if (!coversResource(rule.resources ?? [], plural, subresource)) return false;
  const names = rule.resourceNames ?? [];
  const [name] = single.resourceNames ?? [];
  return names.length === 0 || (name !== undefined && names.includes(name));
}

/** The same rules in fewer: those about one resource (of one name, perhaps) are joined over their verbs. */
export function compactRules(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  const simple = new Map<string, { rule: PolicyRule; verbs: string[] }>();
  const others: PolicyRule[] = [];
  for (const rule of rules) {
    const key = simpleKey(rule);
    const known = key === undefined ? undefined : simple.get(key);
    if (known !== undefined) known.verbs.push(...rule.verbs);
    else if (key !== undefined) simple.set(key, { rule, verbs: [...rule.verbs] });
    else others.push(rule);
  }
  return [...others, ...[...simple.values()].map(({ rule, verbs }) => ({ ...rule, verbs }))];
}

function simpleKey({
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule): string | undefined {
  const isSimple =
    apiGroups.length === 1 &&
    resources.length === 1 &&
    resourceNames.length <= 1 &&
    nonResourceURLs.length === 0;
  return isSimple ? JSON.stringify([apiGroups, resources, resourceNames]) : undefined;
}

/** As kube-apiserver writes a rule: `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`. */
export function ruleText(rule: PolicyRule): string {
  const parts = Object.entries({
    APIGroups: rule.apiGroups,
    Resources: rule.resources,
    NonResourceURLs: rule.nonResourceURLs,
    ResourceNames: rule.resourceNames,
    Verbs: rule.verbs,
  }).filter(([, list]) => list !== undefined && list.length > 0);
  return `{${parts.map(([name, list]) => `${name}:${quotedList(list ?? [])}`).join(", ")}}`;
}

/** As Go's %q prints a list: quoted words with spaces between them. */
export function quotedList(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(" ")}]`;
}
