import type { IncomingMessage } from "node:http";
import type { Api } from "../api.ts";
import type { User } from "../auth/user.ts";
import { conform } from "../codec/conform.ts";
import { decodeBody } from "../codec/decode.ts";
import { type JsonObject, listAt, objectAt, own, textAt } from "../json.ts";
import { mediaType, readBody } from "../request/body.ts";
import type { Reply } from "../request/reply.ts";
import { badRequest } from "../status.ts";
import { formatTime } from "../verbs/metadata.ts";

/** One question that is answered and not stored. */
export interface Review {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly answer: (given: JsonObject, asker: { readonly api: Api; readonly user: User }) => JsonObject;
}

const AUTHN = "authentication.k8s.io";
const AUTHZ = "authorization.k8s.io";

export const REVIEWS: readonly Review[] = [
  { group: AUTHN, plural: "tokenreviews", kind: "TokenReview", namespaced: false, answer: reviewToken },
  {
    group: AUTHN,
    plural: "selfsubjectreviews",
    kind: "SelfSubjectReview",
    namespaced: false,
    answer: (_given, { user }) => ({ userInfo: formatUser(user) }),
  },
  {
    group: AUTHZ,
    plural: "selfsubjectaccessreviews",
    kind: "SelfSubjectAccessReview",
    namespaced: false,
    answer: (given, { api, user }) => reviewAccess(api, user, objectAt(given, "spec") ?? {}),
  },
  {
    group: AUTHZ,
    plural: "subjectaccessreviews",
    kind: "SubjectAccessReview",
    namespaced: false,
    answer: reviewOther,
  },
  {
    group: AUTHZ,
    plural: "localsubjectaccessreviews",
    kind: "LocalSubjectAccessReview",
    namespaced: true,
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
  },
): Promise<void> {
  const definition = `${PACKAGE[found.group]}.${found.kind}`;
  const type = mediaType(exchange.request.headers["content-type"]);
  const body = await decodeBody(await readBody(exchange.request), type, definition);
  const given = conform(body.value, definition).value;
  const status = found.answer(given, exchange);
  exchange.reply.json(201, {
    kind: found.kind,
    apiVersion: `${found.group}/v1`,
    metadata: { creationTimestamp: formatTime(exchange.api.clock.now()) },
    ...(own(given, "spec") === undefined ? {} : { spec: own(given, "spec") }),
    status,
  });
}

function reviewToken(given: JsonObject, { api }: { readonly api: Api }): JsonObject {
  const spec = objectAt(given, "spec");
  const audiences = texts(listAt(spec, "audiences"));
  const verified = api.tokens.verify(
    textAt(spec, "token") ?? "",
    audiences.length === 0 ? undefined : audiences,
  );
  if (verified === undefined) return { user: {}, error: "invalid bearer token" };
  const groups = [...verified.user.groups, "system:authenticated"];
  return {
    authenticated: true,
    user: formatUser({ ...verified.user, groups }),
    audiences: [...verified.audiences],
  };
}

function reviewOther(given: JsonObject, { api }: { readonly api: Api }): JsonObject {
  const spec = objectAt(given, "spec") ?? {};
  const user: User = { name: textAt(spec, "user") ?? "", groups: texts(listAt(spec, "groups")) };
  return reviewAccess(api, user, spec);
}

function reviewAccess(api: Api, user: User, spec: JsonObject): JsonObject {
  const resource = objectAt(spec, "resourceAttributes");
  const path = objectAt(spec, "nonResourceAttributes");
  if ((resource === undefined) === (path === undefined))
    throw badRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified");
  const text = (from: JsonObject | undefined, field: string) => textAt(from, field) ?? "";
  const namespace = text(resource, "namespace");
  const { allowed, reason } =
    resource === undefined
      ? api.authorizer.decidePath(user, { verb: text(path, "verb"), path: text(path, "path") })
      : api.authorizer.decide(user, {
          verb: text(resource, "verb"),
          group: text(resource, "group"),
          plural: text(resource, "resource"),
          subresource: text(resource, "subresource") || undefined,
          namespace: namespace === "" ? undefined : namespace,
          name: text(resource, "name"),
        });
  return { allowed, ...(reason === "" ? {} : { reason }) };
}

function formatUser(user: User): JsonObject {
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
