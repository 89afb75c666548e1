import type { LabelSelector, NamedRuleWithOperations } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import type { KubeObject } from "#kube/object";
import type { AdmissionTarget } from "../../admit.ts";
import type { KindSpec, WriteContext } from "../../kinds/kind.ts";
import { type Attributes, namespaceLabels, operationOf } from "./attributes.ts";

/** Which writes a webhook or policy is about. */
export interface Matching {
  readonly rules: readonly NamedRuleWithOperations[];
  readonly excluded?: readonly NamedRuleWithOperations[] | undefined;
  readonly namespaceSelector: LabelSelector | undefined;
  readonly objectSelector: LabelSelector | undefined;
  /** Whether a rule for another version of the resource counts too. */
  readonly isEquivalent: boolean;
}

/** What is asked for, in the words of rules. */
export interface RuleTarget {
  readonly operation: string;
  readonly group: string;
  /** All versions that count, the one asked for first. */
  readonly versions: readonly string[];
  readonly resource: string;
  readonly subresource: string;
  readonly isNamespaced: boolean;
  /** Undefined while it is not known: any name may come. */
  readonly name: string | undefined;
}

/** Every version that a resource is served in, the one asked for first. */
export type VersionsOf = (spec: KindSpec) => readonly string[];

/** Whether rules may be about such a write; costs no look into objects. */
export function mayMatch(matching: Matching, target: AdmissionTarget, versionsOf: VersionsOf): boolean {
  const wanted = ruleTarget(
    matching,
    { ...target, name: undefined, operation: operationOf(target), subresource: target.subresource ?? "" },
    versionsOf,
  );
  return matching.rules.some((rule) => matchesRule(rule, wanted));
}

export function matches(
  matching: Matching,
  attributes: Attributes,
  { context, versionsOf }: { readonly context: WriteContext; readonly versionsOf: VersionsOf },
): boolean {
  const wanted = ruleTarget(matching, attributes, versionsOf);
  if (!matching.rules.some((rule) => matchesRule(rule, wanted))) return false;
  if (matching.excluded?.some((rule) => matchesRule(rule, wanted))) return false;
  return inNamespace(matching, attributes, context) && hasObject(matching, attributes);
}

function ruleTarget(
  { isEquivalent }: Matching,
  {
    spec,
    operation,
    subresource,
    name,
  }: Pick<Attributes, "spec" | "operation" | "subresource"> & { readonly name: string | undefined },
  versionsOf: VersionsOf,
): RuleTarget {
  const { group, version, plural, namespaced } = spec.resource;
  return {
    operation,
    group,
    versions: isEquivalent ? versionsOf(spec) : [version],
    resource: plural,
    subresource,
    isNamespaced: namespaced,
    name,
  };
}

/** Whether a rule is about the target. */
export function matchesRule(rule: NamedRuleWithOperations, target: RuleTarget): boolean {
  return (
    has(rule.operations, target.operation) &&
    has(rule.apiGroups, target.group) &&
    target.versions.some((version) => has(rule.apiVersions, version)) &&
    inScope(rule.scope, target) &&
    (rule.resources ?? []).some((resource) => isResource(resource, target)) &&
    isNamed(rule.resourceNames, target)
  );
}

function has(values: readonly string[] | undefined, value: string): boolean {
  return values?.some((one) => one === "*" || one === value) === true;
}

function inScope(scope: string | undefined, { isNamespaced }: RuleTarget): boolean {
  if (scope === "Namespaced") return isNamespaced;
  return scope === "Cluster" ? !isNamespaced : true;
}

/** A resource, with a subresource behind a slash; either may be a star, and a resource with all of them is itself too. */
function isResource(text: string, { resource, subresource }: RuleTarget): boolean {
  const [name, part = ""] = text.split("/");
  return (name === "*" || name === resource) && (part === "*" || part === subresource);
}

function isNamed(names: readonly string[] | undefined, { name }: RuleTarget): boolean {
  return !names?.length || name === undefined || names.includes(name);
}

function inNamespace(
  { namespaceSelector }: Matching,
  attributes: Attributes,
  context: WriteContext,
): boolean {
  if (isEmptySelector(namespaceSelector)) return true;
  const labels = namespaceLabels(attributes, context);
  return (
    labels === undefined || namespaceSelector === undefined || matchesSelector(namespaceSelector, labels)
  );
}

/** One of the two states is enough. */
function hasObject({ objectSelector }: Matching, { object, oldObject }: Attributes): boolean {
  if (objectSelector === undefined || isEmptySelector(objectSelector)) return true;
  return [object, oldObject].some(
    (state) =>
      state !== undefined &&
      matchesSelector(objectSelector, (state as unknown as KubeObject).metadata?.labels ?? {}),
  );
}
