import type { Authorizer } from "../../auth/authorize.ts";
import type { User } from "../../auth/user.ts";
import { AuthorizerValue, type CelAuthorizer, ResourceValue } from "../../cel/library/authorizer.ts";
import { type Bindings, Lazy } from "../../cel/rule.ts";
import type { JsonObject } from "../../json.ts";
import type { Attributes } from "./attributes.ts";

/** The variables of match conditions and policies: the object before and after, the request, the authorizer. */
export function bindingsOf(attributes: Attributes, authorizer: Authorizer): Bindings {
  const asks = celAuthorizer(authorizer, attributes.user);
  return {
    object: attributes.object ?? null,
    oldObject: attributes.oldObject ?? null,
    request: new Lazy(() => requestOf(attributes)),
    authorizer: new AuthorizerValue(asks),
    "authorizer.requestResource": new ResourceValue(asks, resourceOf(attributes)),
  };
}

/** The request as expressions and webhooks see it. */
export function requestOf(attributes: Attributes): JsonObject {
  const { spec, kind, subresource, namespace, name, operation, dryRun, options } = attributes;
  const { group, version, plural } = spec.resource;
  const resource = { group, version, resource: plural };
  const subresources =
    subresource === "" ? {} : { subResource: subresource, requestSubResource: subresource };
  return {
    kind: { ...kind },
    resource,
    ...subresources,
    requestKind: { ...kind },
    requestResource: resource,
    ...(name === "" ? {} : { name }),
    ...(namespace === "" ? {} : { namespace }),
    operation,
    userInfo: userInfo(attributes.user),
    dryRun,
    options: options ?? null,
  };
}

function userInfo({ name, uid, groups, extra }: User): JsonObject {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups: [...groups],
    ...(extra === undefined
      ? {}
      : { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }),
  };
}

function resourceOf({ spec, subresource, namespace, name }: Attributes): ResourceValue["question"] {
  const { group, plural } = spec.resource;
  return { verb: "", group, plural, subresource, namespace, name };
}

function celAuthorizer(authorizer: Authorizer, user: User): CelAuthorizer {
  return {
    resource: ({ verb, group, plural, subresource, namespace, name }) =>
      authorizer.decide(user, {
        verb,
        group,
        plural,
        subresource: subresource === "" ? undefined : subresource,
        namespace: namespace === "" ? undefined : namespace,
        name,
      }),
    path: (path, verb) => authorizer.decidePath(user, { path, verb }),
    serviceAccount: (namespace, name) => celAuthorizer(authorizer, serviceAccountUser(namespace, name)),
  };
}

function serviceAccountUser(namespace: string, name: string): User {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
  };
}
