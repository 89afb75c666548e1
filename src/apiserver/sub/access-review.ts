import type { ResourceAttributes } from "../auth/attributes.ts";
import type { User } from "../auth/user.ts";
import { type JsonObject, listAt, objectAt, textAt } from "../json.ts";
import { invalid as invalidField } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { invalid } from "../status.ts";
import type { ReviewAsker } from "./reviews.ts";
import { readSelectors, validateSelectors } from "./selector-attributes.ts";

const GROUP = "authorization.k8s.io";

/** May I? */
export function reviewSelf(given: JsonObject, asker: ReviewAsker): JsonObject {
  return decide(given, { ...asker, subject: asker.user });
}

/** May they? */
export function reviewOther(given: JsonObject, asker: ReviewAsker): JsonObject {
  return decide(given, { ...asker, subject: subjectOf(objectAt(given, "spec")), needsSubject: true });
}

/** May they, in this namespace? */
export function reviewLocal(given: JsonObject, asker: ReviewAsker): JsonObject {
  const spec = objectAt(given, "spec");
  const resource = objectAt(spec, "resourceAttributes");
  const path = objectAt(spec, "nonResourceAttributes");
  const problems: FieldError[] = [];
  if (resource !== undefined && text(resource, "namespace") !== (asker.namespace ?? ""))
    problems.push(
      invalidField(
        "spec.resourceAttributes.namespace",
        text(resource, "namespace"),
        "must match metadata.namespace",
      ),
    );
  if (path !== undefined)
    problems.push(
      invalidField("spec.nonResourceAttributes", inGo(path), "disallowed on this kind of request"),
    );
  return decide(given, { ...asker, subject: subjectOf(spec), needsSubject: true, isLocal: true, problems });
}

interface Question extends ReviewAsker {
  readonly subject: User;
  readonly needsSubject?: boolean;
  /** Its metadata may say its namespace. */
  readonly isLocal?: boolean;
  readonly problems?: readonly FieldError[];
}

/** @throws {StatusFault} Invalid */
function decide(given: JsonObject, question: Question): JsonObject {
  const { api, subject } = question;
  const spec = objectAt(given, "spec");
  const problems = [
    ...problemsOf(spec, question),
    ...validateMetadata(given, question),
    ...(question.problems ?? []),
  ];
  // Upstream has forgotten the kind by then.
  if (problems.length > 0) throw invalid({ group: GROUP, kind: "" }, "", problems);
  const resource = objectAt(spec, "resourceAttributes");
  if (resource === undefined) {
    const path = objectAt(spec, "nonResourceAttributes");
    return answer(
      api.authorizer.decidePath(subject, { verb: text(path, "verb"), path: text(path, "path") }),
      [],
    );
  }
  const selectors = readSelectors(resource);
  const attributes = { ...attributesOf(resource), fields: selectors.fields };
  return answer(api.authorizer.decide(subject, attributes), selectors.problems);
}

function answer(
  { allowed, reason }: { readonly allowed: boolean; readonly reason: string },
  problems: readonly string[],
): JsonObject {
  return {
    allowed,
    ...(reason === "" ? {} : { reason }),
    ...(problems.length === 0 ? {} : { evaluationError: problems.join("; ") }),
  };
}

function problemsOf(
  spec: JsonObject | undefined,
  { needsSubject, subject }: Question,
): readonly FieldError[] {
  const resource = objectAt(spec, "resourceAttributes");
  const path = objectAt(spec, "nonResourceAttributes");
  const problems: FieldError[] = [];
  if (resource !== undefined && path !== undefined)
    problems.push(
      invalidField(
        "spec.nonResourceAttributes",
        inGo(path),
        "cannot be specified in combination with resourceAttributes",
      ),
    );
  if (resource === undefined && path === undefined)
    problems.push(
      invalidField(
        "spec.resourceAttributes",
        null,
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
      ),
    );
  if (needsSubject && subject.name === "" && subject.groups.length === 0)
    problems.push(invalidField("spec.user", "", "at least one of user or group must be specified"));
  return [...problems, ...validateSelectors(resource)];
}

/** A question has no name. */
function validateMetadata(given: JsonObject, { isLocal }: Question): readonly FieldError[] {
  const { managedFields: _, ...metadata } = objectAt(given, "metadata") ?? {};
  const said = Object.keys(metadata).filter((field) => !(isLocal && field === "namespace"));
  if (said.length === 0) return [];
  return [
    invalidField("metadata", metadata, isLocal ? "must be empty except for namespace" : "must be empty"),
  ];
}

/** The attributes of a path, as kube-apiserver shows them. */
function inGo(path: JsonObject): JsonObject {
  return { Path: text(path, "path"), Verb: text(path, "verb") };
}

function subjectOf(spec: JsonObject | undefined): User {
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
  };
}

function text(from: unknown, field: string): string {
  return textAt(from, field) ?? "";
}

function texts(list: readonly unknown[] | undefined): string[] {
  return (list ?? []).filter((item) => typeof item === "string");
}
