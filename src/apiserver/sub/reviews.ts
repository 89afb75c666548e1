import type { Api } from "../api.ts";
import { authenticated, type User } from "../auth/user.ts";
import { toGoForm } from "../codec/go-form.ts";
import { type JsonObject, listAt, objectAt, textAt } from "../json.ts";
import { chooseForm } from "../request/accept.ts";
import { badRequest } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { checkPlace, formatTime } from "../verbs/metadata.ts";
import { readObject } from "../verbs/write.ts";
import { reviewLocal, reviewOther, reviewSelf } from "./access-review.ts";
import { reviewRules } from "./rules-review.ts";

/** Who asks for a review, and where. */
export interface ReviewAsker {
  readonly api: Api;
  readonly user: User;
  /** Of the URL. */
  readonly namespace: string | undefined;
}

/** One question that is answered and not stored. */
export interface Review {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** @throws {StatusFault} */
  readonly answer: (given: JsonObject, asker: ReviewAsker) => ReviewAnswer;
}

export interface ReviewAnswer {
  /** Instead of the question's own. */
  readonly metadata?: JsonObject;
  readonly spec?: JsonObject;
  readonly status: JsonObject;
}

/** An answer that repeats what was asked. */
function withSpec(answer: (given: JsonObject, asker: ReviewAsker) => JsonObject): Review["answer"] {
  return (given, asker) => ({ spec: objectAt(given, "spec") ?? {}, status: answer(given, asker) });
}

const AUTHN = "authentication.k8s.io";
const AUTHZ = "authorization.k8s.io";

export const REVIEWS: readonly Review[] = [
  {
    group: AUTHN,
    plural: "selfsubjectreviews",
    kind: "SelfSubjectReview",
    namespaced: false,
    answer: whoAmI,
  },
  { group: AUTHN, plural: "tokenreviews", kind: "TokenReview", namespaced: false, answer: reviewToken },
  {
    group: AUTHZ,
    plural: "localsubjectaccessreviews",
    kind: "LocalSubjectAccessReview",
    namespaced: true,
    answer: withSpec(reviewLocal),
  },
  {
    group: AUTHZ,
    plural: "selfsubjectaccessreviews",
    kind: "SelfSubjectAccessReview",
    namespaced: false,
    answer: withSpec(reviewSelf),
  },
  {
    group: AUTHZ,
    plural: "selfsubjectrulesreviews",
    kind: "SelfSubjectRulesReview",
    namespaced: false,
    answer: (given, asker) => ({ metadata: {}, spec: {}, status: reviewRules(given, asker) }),
  },
  {
    group: AUTHZ,
    plural: "subjectaccessreviews",
    kind: "SubjectAccessReview",
    namespaced: false,
    answer: withSpec(reviewOther),
  },
];

const PACKAGE: Readonly<Record<string, string>> = {
  [AUTHN]: "io.k8s.api.authentication.v1",
  [AUTHZ]: "io.k8s.api.authorization.v1",
};

/** Answers a review, in the form in which Go would write it. @throws {StatusFault} */
export async function review(
  found: Review,
  exchange: Pick<Call, "api" | "user" | "request" | "query" | "reply" | "info" | "audit">,
): Promise<void> {
  const { api, user, request, reply, info } = exchange;
  // No table shows a review, and none has metadata of its own.
  chooseForm(request.headers.accept, new Set());
  const definition = `${PACKAGE[found.group]}.${found.kind}`;
  const { group, plural, kind, namespaced } = found;
  const resource = { group, version: "v1", kind, plural, namespaced };
  const given = await readObject(exchange, { resource, definition });
  checkPlace(given, { namespace: namespaced ? info.namespace : undefined, name: undefined });
  toGoForm(given, definition);
  const { metadata, spec, status } = found.answer(given, { api, user, namespace: info.namespace });
  const said = metadata ?? objectAt(given, "metadata") ?? {};
  const out = {
    kind,
    apiVersion: `${group}/v1`,
    metadata: said,
    ...(spec === undefined ? {} : { spec }),
    status,
  };
  reply.json(201, out);
}

/** Only this one is a thing that happened. */
function whoAmI(_given: JsonObject, { user, api }: ReviewAsker): ReviewAnswer {
  const metadata = { creationTimestamp: formatTime(api.clock.now()) };
  return { metadata, status: { userInfo: formatUser(user) } };
}

function reviewToken(given: JsonObject, { api }: ReviewAsker): ReviewAnswer {
  const spec = objectAt(given, "spec") ?? {};
  const token = textAt(spec, "token") ?? "";
  if (token === "") throw badRequest("token is required for TokenReview in authentication");
  const asked = texts(listAt(spec, "audiences"));
  const examined = api.tokens.examine(token, asked.length === 0 ? undefined : asked);
  if (!("problem" in examined)) {
    // In the order in which they are asked for.
    const audiences =
      asked.length === 0 ? examined.audiences : asked.filter((one) => examined.audiences.includes(one));
    return { spec, status: tokenStatus(examined.user, audiences) };
  }
  const user = asked.length === 0 ? api.authenticator.bootstrapUser(token) : undefined;
  if (user !== undefined) return { spec, status: tokenStatus(user, undefined) };
  const error = examined.problem === "" ? INVALID_TOKEN : `[${INVALID_TOKEN}, ${examined.problem}]`;
  return { spec, status: { user: {}, error } };
}

const INVALID_TOKEN = "invalid bearer token";

function tokenStatus(user: User, audiences: readonly string[] | undefined): JsonObject {
  return {
    authenticated: true,
    user: formatUser(authenticated(user)),
    ...(audiences === undefined ? {} : { audiences: [...audiences] }),
  };
}

export function formatUser(user: User): JsonObject {
  const extra = Object.fromEntries(
    Object.entries(user.extra ?? {}).map(([key, values]) => [key, [...values]]),
  );
  return {
    username: user.name,
    ...(user.uid === undefined ? {} : { uid: user.uid }),
    groups: [...user.groups],
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function texts(list: readonly unknown[] | undefined): string[] {
  return (list ?? []).filter((item) => typeof item === "string");
}
