import type { IncomingMessage } from "node:http";
import type { Api } from "../api.ts";
import type { AuditEntry } from "../audit/audit.ts";
import { authenticated, type User } from "../auth/user.ts";
import { conform } from "../codec/conform.ts";
import { checkType, decodeBody } from "../codec/decode.ts";
import { type JsonObject, listAt, objectAt, own, textAt } from "../json.ts";
import { chooseForm } from "../request/accept.ts";
import { mediaType, readBody } from "../request/body.ts";
import type { ResourceRequest } from "../request/info.ts";
import type { Reply } from "../request/reply.ts";
import { badRequest } from "../status.ts";
import { formatTime } from "../verbs/metadata.ts";
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
  /** The status of the answer. @throws {StatusFault} */
  readonly answer: (given: JsonObject, asker: ReviewAsker) => JsonObject;
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
    answer: reviewLocal,
  },
  {
    group: AUTHZ,
    plural: "selfsubjectaccessreviews",
    kind: "SelfSubjectAccessReview",
    namespaced: false,
    answer: reviewSelf,
  },
  {
    group: AUTHZ,
    plural: "selfsubjectrulesreviews",
    kind: "SelfSubjectRulesReview",
    namespaced: false,
    answer: reviewRules,
  },
  {
    group: AUTHZ,
    plural: "subjectaccessreviews",
    kind: "SubjectAccessReview",
    namespaced: false,
    answer: reviewOther,
  },
];

const PACKAGE: Readonly<Record<string, string>> = {
  [AUTHN]: "io.k8s.api.authentication.v1",
  [AUTHZ]: "io.k8s.api.authorization.v1",
};

export async function review(
  found: Review,
  exchange: {
    readonly api: Api;
    readonly user: User;
    readonly request: IncomingMessage;
    readonly reply: Reply;
    readonly info: ResourceRequest;
    readonly audit: AuditEntry | undefined;
  },
): Promise<void> {
  const { api, user, request, reply, info, audit } = exchange;
  // No table shows a review, and none has metadata of its own.
  chooseForm(request.headers.accept, new Set());
  const definition = `${PACKAGE[found.group]}.${found.kind}`;
  const apiVersion = `${found.group}/v1`;
  const body = await decodeBody(
    await readBody(request),
    mediaType(request.headers["content-type"]),
    definition,
  );
  checkType(body.value, { apiVersion, kind: found.kind });
  const given = conform(body.value, definition).value;
  audit?.asked(given);
  const status = found.answer(given, { api, user, namespace: info.namespace });
  const spec = own(given, "spec");
  reply.json(201, {
    kind: found.kind,
    apiVersion,
    metadata: { ...objectAt(given, "metadata"), creationTimestamp: formatTime(api.clock.now()) },
    ...(spec === undefined ? {} : { spec }),
    status,
  });
}

function whoAmI(_given: JsonObject, { user }: ReviewAsker): JsonObject {
  return { userInfo: formatUser(user) };
}

function reviewToken(given: JsonObject, { api }: ReviewAsker): JsonObject {
  const spec = objectAt(given, "spec");
  const token = textAt(spec, "token") ?? "";
  if (token === "") throw badRequest("token is required for TokenReview in authentication");
  const asked = texts(listAt(spec, "audiences"));
  const verified = api.tokens.verify(token, asked.length === 0 ? undefined : asked);
  const user = verified?.user ?? (asked.length === 0 ? api.authenticator.bootstrapUser(token) : undefined);
  if (user === undefined) return { user: {}, error: "invalid bearer token" };
  return {
    authenticated: true,
    user: formatUser(authenticated(user)),
    ...(verified === undefined ? {} : { audiences: [...verified.audiences] }),
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
