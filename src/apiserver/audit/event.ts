import type { User } from "../auth/user.ts";
import { isObject, type Json, type JsonObject, listAt, objectAt, own } from "../json.ts";
import type { AuditLevel, AuditStage, AuditTarget } from "./policy.ts";

/** What is known of a request at one of its stages. */
export interface AuditFacts {
  readonly id: string;
  readonly level: AuditLevel;
  readonly stage: AuditStage;
  readonly uri: string;
  readonly user: User;
  readonly impersonated: User | undefined;
  readonly constraint: string;
  readonly sourceIps: readonly string[];
  readonly userAgent: string;
  readonly target: AuditTarget;
  readonly status: AuditStatus | undefined;
  /** Of something new: it stands in its body only. */
  readonly name: string | undefined;
  readonly requestObject: Json | undefined;
  readonly responseObject: Json | undefined;
  readonly omitManagedFields: boolean;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  readonly now: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The answer's code and, when it is a Status, what that says. */
export interface AuditStatus {
  readonly code: number;
  readonly body: JsonObject | undefined;
}

/** An audit.k8s.io/v1 Event. */
export function auditEvent(facts: AuditFacts): object {
  const { level, target } = facts;
  const withRequest = level === "Request" || level === "RequestResponse";
  const clean = (value: Json | undefined) =>
    value === undefined || !facts.omitManagedFields ? value : withoutManagedFields(value);
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level,
    auditID: facts.id,
    stage: facts.stage,
    requestURI: facts.uri,
    verb: target.verb,
    user: userInfo(facts.user),
    impersonatedUser: facts.impersonated && userInfo(facts.impersonated),
    authenticationMetadata:
      facts.constraint === "" ? undefined : { impersonationConstraint: facts.constraint },
    sourceIPs: facts.sourceIps,
    userAgent: facts.userAgent || undefined,
    objectRef: objectRef(target, facts.name),
    responseStatus: facts.status && responseStatus(facts.status),
    requestObject: withRequest ? clean(facts.requestObject) : undefined,
    responseObject: level === "RequestResponse" ? clean(facts.responseObject) : undefined,
    requestReceivedTimestamp: microTime(facts.receivedAt),
    stageTimestamp: microTime(facts.now),
    annotations: Object.keys(facts.annotations).length === 0 ? undefined : facts.annotations,
  };
}

function userInfo({ name, uid, groups, extra }: User): object {
  return {
    username: name === "" ? undefined : name,
    uid,
    groups: groups.length === 0 ? undefined : groups,
    extra,
  };
}

function objectRef({ resource }: AuditTarget, newName: string | undefined): object | undefined {
  if (resource === undefined) return undefined;
  const { group, version, plural, subresource, namespace, name } = resource;
  return {
    resource: plural,
    namespace,
    name: name ?? (newName === "" ? undefined : newName),
    apiGroup: group === "" ? undefined : group,
    apiVersion: version,
    subresource,
  };
}

function responseStatus({ code, body }: AuditStatus): object {
  const said = (field: string) => (body === undefined ? undefined : own(body, field));
  return {
    metadata: {},
    status: said("status"),
    message: said("message"),
    reason: said("reason"),
    details: said("details"),
    code,
  };
}

function withoutManagedFields(value: Json): Json {
  if (!isObject(value)) return value;
  const items = listAt(value, "items");
  const metadata = objectAt(value, "metadata");
  return {
    ...value,
    ...(items === undefined ? {} : { items: items.map(withoutManagedFields) }),
    ...(metadata === undefined ? {} : { metadata: without(metadata, "managedFields") }),
  };
}

function without(object: JsonObject, field: string): JsonObject {
  const { [field]: _gone, ...rest } = object;
  return rest;
}

/** RFC 3339 with six digits after the second. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
