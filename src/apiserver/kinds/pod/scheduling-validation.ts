import type {
  Affinity,
  LabelSelector,
  PodAffinityTerm,
  PodSpec,
  TopologySpreadConstraint,
} from "#kube/generated/types";
import { duplicate, forbidden, invalid, notSupported, problems, required } from "../field/error.ts";
import { validateLabelSelector } from "../field/labels.ts";
import { labelProblems, qualifiedNameProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";
import { validateNodeSelector, validateNodeTerm } from "./node-selector-validation.ts";

const WEIGHT_RULE = "must be in the range 1-100";

export function validateAffinity(path: string, affinity: Affinity | undefined): readonly FieldError[] {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {};
  return [
    ...validateNodeAffinity(`${path}.nodeAffinity`, nodeAffinity),
    ...validatePodAffinity(`${path}.podAffinity`, podAffinity),
    ...validatePodAffinity(`${path}.podAntiAffinity`, podAntiAffinity),
  ];
}

function validateNodeAffinity(path: string, affinity: Affinity["nodeAffinity"]): readonly FieldError[] {
  const must = affinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const may = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...(must === undefined
      ? []
      : validateNodeSelector(`${path}.requiredDuringSchedulingIgnoredDuringExecution`, must)),
    ...may.flatMap(({ weight, preference }, i) => {
      const at = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
      const errors = validateNodeTerm(`${at}.preference`, preference ?? {}, { checksValues: false });
      return [...validateWeight(at, weight), ...errors];
    }),
  ];
}

function validatePodAffinity(path: string, affinity: Affinity["podAffinity"]): readonly FieldError[] {
  const must = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const may = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return [
    ...must.flatMap((term, i) =>
      validatePodTerm(`${path}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`, term),
    ),
    ...may.flatMap(({ weight, podAffinityTerm }, i) => {
      const at = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
      const errors = validatePodTerm(`${at}.podAffinityTerm`, podAffinityTerm ?? { topologyKey: "" });
      return [...validateWeight(at, weight), ...errors];
    }),
  ];
}

function validateWeight(path: string, weight: number): readonly FieldError[] {
  return weight < 1 || weight > 100 ? [invalid(`${path}.weight`, weight, WEIGHT_RULE)] : [];
}

function validatePodTerm(path: string, term: PodAffinityTerm): readonly FieldError[] {
  const { labelSelector, namespaceSelector, namespaces = [], topologyKey } = term;
  const errors = [
    ...validateLabelSelector(`${path}.labelSelector`, labelSelector),
    ...validateLabelSelector(`${path}.namespaceSelector`, namespaceSelector),
    ...namespaces.flatMap((name) => problems(`${path}.namespace`, name, labelProblems(name))),
    ...validateMatchKeys(`${path}.matchLabelKeys`, term.matchLabelKeys, labelSelector),
    ...validateMatchKeys(`${path}.mismatchLabelKeys`, term.mismatchLabelKeys, labelSelector),
    ...(term.matchLabelKeys ?? [])
      .filter((key) => term.mismatchLabelKeys?.includes(key))
      .map((key) =>
        invalid(`${path}.matchLabelKeys`, key, "exists in both matchLabelKeys and mismatchLabelKeys"),
      ),
  ];
  if (!topologyKey) errors.push(required(`${path}.topologyKey`, "can not be empty"));
  return [...errors, ...problems(`${path}.topologyKey`, topologyKey, qualifiedNameProblems(topologyKey))];
}

function validateMatchKeys(
  path: string,
  keys: readonly string[] | undefined,
  selector: LabelSelector | undefined,
): readonly FieldError[] {
  if (keys === undefined || keys.length === 0) return [];
  if (selector === undefined) return [forbidden(path, "must not be specified when labelSelector is not set")];
  return keys.flatMap((key, i) => problems(`${path}[${i}]`, key, qualifiedNameProblems(key)));
}

const SPREAD_ACTIONS = ["DoNotSchedule", "ScheduleAnyway"];
const NODE_POLICIES = ["Honor", "Ignore"];
const POSITIVE_RULE = "must be greater than zero";

export function validateSpread(
  path: string,
  constraints: readonly TopologySpreadConstraint[] | undefined,
): readonly FieldError[] {
  const all = constraints ?? [];
  return all.flatMap((constraint, i) => {
    const isRepeated = all.slice(i + 1).some((other) => spreadKey(other) === spreadKey(constraint));
    const at = `${path}[${i}]`;
    const repeated = duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, spreadKey(constraint));
    return [...validateConstraint(at, constraint), ...(isRepeated ? [repeated] : [])];
  });
}

function spreadKey({ topologyKey, whenUnsatisfiable }: TopologySpreadConstraint): string {
  return `{${topologyKey}, ${whenUnsatisfiable}}`;
}

function validateConstraint(path: string, constraint: TopologySpreadConstraint): readonly FieldError[] {
  const { maxSkew, topologyKey, whenUnsatisfiable, minDomains, labelSelector } = constraint;
  const errors: FieldError[] = [];
  if (maxSkew <= 0) errors.push(invalid(`${path}.maxSkew`, maxSkew, POSITIVE_RULE));
  if (!topologyKey) errors.push(required(`${path}.topologyKey`, "can not be empty"));
  if (!SPREAD_ACTIONS.includes(whenUnsatisfiable))
    errors.push(notSupported(`${path}.whenUnsatisfiable`, whenUnsatisfiable, SPREAD_ACTIONS));
  if (minDomains !== undefined && minDomains <= 0)
    errors.push(invalid(`${path}.minDomains`, minDomains, POSITIVE_RULE));
  if (minDomains !== undefined && whenUnsatisfiable !== "DoNotSchedule")
    errors.push(
      invalid(
        `${path}.minDomains`,
        minDomains,
        `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
      ),
    );
  for (const field of ["nodeAffinityPolicy", "nodeTaintsPolicy"] as const) {
    const policy = constraint[field];
    if (policy !== undefined && !NODE_POLICIES.includes(policy))
      errors.push(notSupported(`${path}.${field}`, policy, NODE_POLICIES));
  }
  errors.push(...validateSpreadKeys(`${path}.matchLabelKeys`, constraint.matchLabelKeys, labelSelector));
  return [...errors, ...validateLabelSelector(`${path}.labelSelector`, labelSelector)];
}

function validateSpreadKeys(
  path: string,
  keys: readonly string[] | undefined,
  selector: LabelSelector | undefined,
): readonly FieldError[] {
  const errors = [...validateMatchKeys(path, keys, selector)];
  const selected = new Set([
    ...Object.keys(selector?.matchLabels ?? {}),
    ...(selector?.matchExpressions ?? []).map(({ key }) => key),
  ]);
  for (const [i, key] of (keys ?? []).entries())
    if (selected.has(key))
      errors.push(invalid(`${path}[${i}]`, key, "exists in both matchLabelKeys and labelSelector"));
  return errors;
}

/** Names of gates, and of conditions that readiness waits for. */
export function validateGates(path: string, spec: PodSpec): readonly FieldError[] {
  const seen = new Set<string>();
  const readiness = (spec.readinessGates ?? []).flatMap(({ conditionType }, i) =>
    problems(
      `${path}.readinessGates[${i}].conditionType`,
      conditionType,
      qualifiedNameProblems(conditionType),
    ),
  );
  const scheduling = (spec.schedulingGates ?? []).flatMap(({ name }, i) => {
    const at = `${path}.schedulingGates[${i}]`;
    const errors = [...problems(at, name, qualifiedNameProblems(name))];
    if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
    return errors;
  });
  return [...readiness, ...scheduling];
}
