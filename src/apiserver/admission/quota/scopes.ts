import type { PersistentVolumeClaim, Pod, PodAffinityTerm, ResourceQuota } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { qosClassOf } from "../../kinds/pod/qos.ts";
import type { ResourceName } from "../../status.ts";

interface ScopeRule {
  readonly scopeName: string;
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

/** Whether the quota is narrowed to some pods or claims: it then counts nothing else. */
export function hasScopes(quota: ResourceQuota): boolean {
  return scopeRules(quota).length > 0;
}

/** Whether the pod or claim is one of those the quota is narrowed to. */
export function isInScope(quota: ResourceQuota, { plural }: ResourceName, object: KubeObject): boolean {
  return scopeRules(quota).every((rule) =>
    plural === "pods" ? matches(rule, object) : matchesClaim(rule, object),
  );
}

/** A claim is in the scopes of the class it wants, of the one it has, and of the one it is being changed to. */
function matchesClaim(rule: ScopeRule, { spec, status }: PersistentVolumeClaim): boolean {
  if (rule.scopeName !== "VolumeAttributesClass") return false;
  const classes = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter((name) => name !== undefined && name !== "");
  if (classes.length === 0) return matchesValue(rule, undefined);
  return classes.some((name) => matchesValue(rule, name));
}

function scopeRules({ spec }: ResourceQuota): readonly ScopeRule[] {
  return [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists" })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
}

function matches(rule: ScopeRule, pod: Pod): boolean {
  switch (rule.scopeName) {
    case "Terminating":
      return (pod.spec?.activeDeadlineSeconds ?? -1) >= 0;
    case "NotTerminating":
      return (pod.spec?.activeDeadlineSeconds ?? -1) < 0;
    case "BestEffort":
      return qosClassOf(pod.spec) === "BestEffort";
    case "NotBestEffort":
      return qosClassOf(pod.spec) !== "BestEffort";
    case "PriorityClass":
      return matchesValue(rule, pod.spec?.priorityClassName || undefined);
    case "CrossNamespacePodAffinity":
      return affinityTerms(pod).some(
        ({ namespaces, namespaceSelector }) =>
          (namespaces ?? []).length > 0 || namespaceSelector !== undefined,
      );
    default:
      return false;
  }
}

function matchesValue({ operator, values = [] }: ScopeRule, value: string | undefined): boolean {
  switch (operator) {
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    default:
      return false;
  }
}

function affinityTerms({ spec }: Pod): readonly PodAffinityTerm[] {
  return [spec?.affinity?.podAffinity, spec?.affinity?.podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ podAffinityTerm }) => podAffinityTerm,
    ),
  ]);
}
