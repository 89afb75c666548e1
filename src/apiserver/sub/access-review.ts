import type { ResourceAttributes } from "../auth/attributes.ts";
import type { User } from "../auth/user.ts";
import { type JsonObject, listAt, objectAt, textAt } from "../json.ts";
import type { FieldError } from "../kinds/kind.ts";
import type { Requirement } from "../select/fields.ts";
import { parseTerms } from "../select/fields.ts";
import { invalid, StatusFault } from "../status.ts";
import type { ReviewAsker } from "./reviews.ts";

const GROUP = "authorization.k8s.io";

/** May I? */
export function reviewSelf(given: JsonObject, asker: ReviewAsker): JsonObject {
  return decide("SelfSubjectAccessReview", objectAt(given, "spec") ?? {}, { ...asker, subject: asker.user });
}

/** May they? */
export function reviewOther(given: JsonObject, asker: ReviewAsker): JsonObject {
  const spec = objectAt(given, "spec") ?? {};
  return decide("SubjectAccessReview", spec, { ...asker, subject: subjectOf(spec), needsSubject: true });
}

/** May they, in this namespace? */
export function reviewLocal(given: JsonObject, asker: ReviewAsker): JsonObject {
  const spec = objectAt(given, "spec") ?? {};
  const resource = objectAt(spec, "resourceAttributes");
  const problems: FieldError[] = [];
  if ((textAt(resource, "namespace") ?? "") !== (asker.namespace ?? ""))
    problems.push({
      type: "Invalid",
      path: "spec.resourceAttributes.namespace",
      value: textAt(resource, "namespace") ?? "",
      detail: "must match metadata.namespace",
    });
  if (objectAt(spec, "nonResourceAttributes") !== undefined)
    problems.push({
      type: "Invalid",
      path: "spec.nonResourceAttributes",
      value: objectAt(spec, "nonResourceAttributes"),
      detail: "disallowed on this kind of request",
    });
  return decide("LocalSubjectAccessReview", spec, {
    ...asker,
    subject: subjectOf(spec),
    needsSubject: true,
    problems,
  });
}

interface Question extends ReviewAsker {
  readonly subject: User;
  readonly needsSubject?: boolean;
  readonly problems?: readonly FieldError[];
}

function decide(kind: string, spec: JsonObject, question: Question): JsonObject {
  const { api, subject } = question;
  const problems = [...problemsOf(spec, question), ...(question.problems ?? [])];
  if (problems.length > 0) throw invalid({ group: GROUP, kind }, "", problems);
  const resource = objectAt(spec, "resourceAttributes");
  const path = objectAt(spec, "nonResourceAttributes");
  const { allowed, reason } =
    resource === undefined
      ? api.authorizer.decidePath(subject, { verb: text(path, "verb"), path: text(path, "path") })
      : api.authorizer.decide(subject, attributesOf(resource));
  return { allowed, ...(reason === "" ? {} : { reason }) };
}

function problemsOf(spec: JsonObject, { needsSubject, subject }: Question): readonly FieldError[] {
  const resource = objectAt(spec, "resourceAttributes");
  const path = objectAt(spec, "nonResourceAttributes");
  const problems: FieldError[] = [];
  const add = (type: FieldError["type"], where: string, detail: string, value?: unknown) =>
    problems.push({ type, path: where, detail, ...(value === undefined ? {} : { value }) });
  if (resource !== undefined && path !== undefined)
    add(
      "Invalid",
      "spec.nonResourceAttributes",
      "cannot be specified in combination with resourceAttributes",
      path,
    );
  if (resource === undefined && path === undefined)
    add(
      "Invalid",
      "spec.resourceAttributes",
      "exactly one of nonResourceAttributes or resourceAttributes must be specified",
      null,
    );
  if (needsSubject && subject.name === "" && subject.groups.length === 0)
    add("Invalid", "spec.user", "at least one of user or group must be specified", "");
  return problems;
}

function subjectOf(spec: JsonObject): User {
  const extra = objectAt(spec, "extra");
  const uid = textAt(spec, "uid");
  return {
    name: text(spec, "user"),
    groups: texts(listAt(spec, "groups")),
    ...(uid === undefined ? {} : { uid }),
    ...(extra === undefined
      ? {}
      : { extra: Object.fromEntries(Object.keys(extra).map((key) => [key, texts(listAt(extra, key))])) }),
  };
}

function attributesOf(resource: JsonObject): ResourceAttributes {
  const or = (value: string) => (value === "" ? undefined : value);
  return {
    verb: text(resource, "verb"),
    group: text(resource, "group"),
    version: text(resource, "version"),
    plural: text(resource, "resource"),
    subresource: or(text(resource, "subresource")),
    namespace: or(text(resource, "namespace")),
    name: text(resource, "name"),
    fields: fieldsOf(objectAt(resource, "fieldSelector")),
  };
}

/** What a review says of a field selector, as text or as requirements. What cannot be read narrows nothing. */
function fieldsOf(selector: JsonObject | undefined): readonly Requirement[] {
  const raw = text(selector, "rawSelector");
  if (raw !== "") return termsOf(raw);
  return (listAt(selector, "requirements") ?? []).flatMap((requirement) => {
    const [value, ...rest] = texts(listAt(requirement, "values"));
    const operator = text(requirement, "operator");
    if (value === undefined || rest.length > 0 || (operator !== "In" && operator !== "NotIn")) return [];
    return [{ field: text(requirement, "key"), equal: operator === "In", value }];
  });
}

function termsOf(raw: string): readonly Requirement[] {
  try {
    return parseTerms(raw);
  } catch (error) {
    if (error instanceof StatusFault) return [];
    throw error;
  }
}

function text(from: unknown, field: string): string {
  return textAt(from, field) ?? "";
}

function texts(list: readonly unknown[] | undefined): string[] {
  return (list ?? []).filter((item) => typeof item === "string");
}
