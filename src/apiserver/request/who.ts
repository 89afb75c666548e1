import type { IncomingMessage, ServerResponse } from "node:http";
import type { Api } from "../api.ts";
import type { AuditEntry } from "../audit/audit.ts";
import type { AuditTarget } from "../audit/policy.ts";
import { narrowed, type ResourceAttributes } from "../auth/attributes.ts";
import { unauthorized } from "../auth/authenticate.ts";
import type { User } from "../auth/user.ts";
import { badRequest, StatusFault } from "../status.ts";
import { parsePath, type RequestInfo, type ResourceRequest } from "./info.ts";
import { flag } from "./query.ts";
import type { Reply } from "./reply.ts";

interface Arrival {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly reply: Reply;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** A request that may go on. */
export interface Asker {
  readonly user: User;
  readonly info: RequestInfo;
  readonly verb: string;
  readonly audit: AuditEntry | undefined;
}

/** Finds out who asks, for what, on whose behalf, and that they may; and begins the record of it.
 *  @throws {StatusFault} Unauthorized, Forbidden, BadRequest */
export async function whoAsks(api: Api, arrival: Arrival): Promise<Asker> {
  const { request, path, query } = arrival;
  const info = parsePath(path);
  const verb = verbOf(info, request.method ?? "GET", query);
  const attributes = info?.is === "resource" ? attributesOf(info, verb, query) : undefined;
  const target: AuditTarget = {
    verb,
    path,
    resource: info?.is === "resource" ? { ...info, ...attributes } : undefined,
  };
  const { user: self, annotations } = authenticate(api, arrival, target);
  const audit = api.audit?.begin({ ...arrival, user: self, target });
  for (const [key, value] of Object.entries(annotations)) audit?.annotate(key, value);
  if (info === undefined) throw badRequest("the path is not valid percent-encoding");
  // Roles speak of paths as people write them.
  const plainPath = decodeURIComponent(path);
  const attempt = attributes === undefined ? { path: { verb, path: plainPath } } : { resource: attributes };
  const other = asksToImpersonate(request)
    ? await api.impersonator.impersonate(self, request.headersDistinct, attempt)
    : undefined;
  if (other !== undefined) audit?.actsAs(other.user, other.constraint);
  const user = other?.user ?? self;
  try {
    const { reason } =
      attributes === undefined
        ? api.authorizer.requirePath(user, { verb, path: plainPath })
        : await api.authorizer.require(user, attributes);
    tellDecision(audit, "allow", reason);
  } catch (error) {
    if (error instanceof StatusFault) tellDecision(audit, "forbid", reasonOf(error));
    throw error;
  }
  return { user, info, verb, audit };
}

/** Whether any header does: hardly a request has one, and telling repeated headers apart costs more than all else about them. */
function asksToImpersonate({ headers }: IncomingMessage): boolean {
  for (const name in headers) if (name.startsWith("impersonate-")) return true;
  return false;
}

function authenticate(api: Api, arrival: Arrival, target: AuditTarget) {
  try {
    return api.authenticator.authenticate(arrival.request, arrival.path, (text) => arrival.reply.warn(text));
  } catch (error) {
    // Nobody is known to have asked; that somebody did is written down all the same.
    api.audit?.begin({ ...arrival, user: { name: "", groups: [] }, target, isRefused: true });
    if (error instanceof StatusFault) throw error;
    api.log.error("credentials could not be read", { error });
    throw unauthorized();
  }
}

function tellDecision(audit: AuditEntry | undefined, decision: "allow" | "forbid", reason: string): void {
  audit?.annotate("authorization.k8s.io/decision", decision);
  audit?.annotate("authorization.k8s.io/reason", reason);
}

/** What stands after `...: ` at the end of a refusal. */
function reasonOf({ message }: StatusFault): string {
  return /(?:at the cluster scope|in the namespace "[^"]*"|path "[^"]*"): (.*)$/s.exec(message)?.[1] ?? "";
}

/** What authorizers look at. A namespace is inside itself as far as roles are concerned. */
function attributesOf(info: ResourceRequest, verb: string, query: URLSearchParams): ResourceAttributes {
  const { group, version, plural, subresource } = info;
  const { fields, name } = narrowed(verb, query.get("fieldSelector"));
  const namespace = group === "" && plural === "namespaces" ? info.name : info.namespace;
  return { verb, group, version, plural, subresource, namespace, name: info.name ?? name, fields };
}

function verbOf(info: RequestInfo | undefined, method: string, query: URLSearchParams): string {
  if (info?.is !== "resource") return method.toLowerCase();
  switch (method) {
    case "GET":
    case "HEAD":
      if (info.subresource !== undefined) return "get";
      if (info.watchPrefix) return "watch";
      if (info.name !== undefined) return "get";
      return query.has("watch") && flag(query, "watch") ? "watch" : "list";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return info.name === undefined ? "deletecollection" : "delete";
    default:
      return "";
  }
}
