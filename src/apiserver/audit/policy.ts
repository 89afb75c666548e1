import type { User } from "../auth/user.ts";

/** How much of a request is written down. */
export type AuditLevel = "None" | "Metadata" | "Request" | "RequestResponse";
/** When: on arrival, when a long answer begins, at the end, or when the server broke over it. */
export type AuditStage = "RequestReceived" | "ResponseStarted" | "ResponseComplete" | "Panic";

export interface GroupResources {
  readonly group: string;
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
}

/** The first rule that a request fits says what is written of it. An empty list leaves everything open. */
export interface AuditRule {
  readonly level: AuditLevel;
  readonly users: readonly string[];
  readonly userGroups: readonly string[];
  readonly verbs: readonly string[];
  readonly resources: readonly GroupResources[];
  readonly namespaces: readonly string[];
  readonly nonResourceURLs: readonly string[];
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean | undefined;
}

export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
}

/** A request as the policy looks at it. */
export interface AuditTarget {
  readonly verb: string;
  readonly path: string;
  readonly resource:
    | {
        readonly group: string;
        readonly version: string;
        readonly plural: string;
        readonly subresource: string | undefined;
        readonly namespace: string | undefined;
        readonly name: string | undefined;
      }
    | undefined;
}

export interface AuditVerdict {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

/** What is to be written of a request: nothing when no rule fits. @see kubernetes apiserver/pkg/audit/policy/checker.go */
export function verdictOf(policy: AuditPolicy, user: User, target: AuditTarget): AuditVerdict {
  const rule = policy.rules.find((each) => fits(each, user, target));
  return {
    level: rule?.level ?? "None",
    omitStages: new Set([...policy.omitStages, ...(rule?.omitStages ?? [])]),
    omitManagedFields: rule?.omitManagedFields ?? policy.omitManagedFields,
  };
}

function fits(rule: AuditRule, user: User, target: AuditTarget): boolean {
  if (rule.users.length > 0 && !rule.users.includes(user.name)) return false;
  if (rule.userGroups.length > 0 && !rule.userGroups.some((group) => user.groups.includes(group)))
    return false;
  if (rule.verbs.length > 0 && !rule.verbs.includes(target.verb)) return false;
  if (rule.namespaces.length > 0 || rule.resources.length > 0) return fitsResource(rule, target);
  if (rule.nonResourceURLs.length === 0) return true;
  return target.resource === undefined && rule.nonResourceURLs.some((url) => fitsPath(url, target.path));
}

function fitsPath(url: string, path: string): boolean {
  return url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1)));
}

function fitsResource(rule: AuditRule, { resource }: AuditTarget): boolean {
  if (resource === undefined) return false;
  if (rule.namespaces.length > 0 && !rule.namespaces.includes(resource.namespace ?? "")) return false;
  return rule.resources.length === 0 || rule.resources.some((each) => fitsGroup(each, resource));
}

function fitsGroup(
  { group, resources, resourceNames }: GroupResources,
  wanted: NonNullable<AuditTarget["resource"]>,
): boolean {
  if (group !== wanted.group) return false;
  if (resources.length === 0) return true;
  if (resourceNames.length > 0 && !resourceNames.includes(wanted.name ?? "")) return false;
  const { plural, subresource } = wanted;
  const whole = subresource === undefined ? plural : `${plural}/${subresource}`;
  return resources.some(
    (each) =>
      each === whole ||
      each === "*" ||
      each === `${plural}/*` ||
      (subresource !== undefined && each === `*/${subresource}`),
  );
}
