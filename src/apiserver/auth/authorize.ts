import { forbidden, StatusFault } from "../status.ts";
import { isNodeAllowed } from "./node-rules.ts";
import type { Rbac } from "./rbac.ts";
import { isMaster, type User } from "./user.ts";

/** What someone wants to do to a resource; `name` is empty when there is none. */
export interface ResourceAttributes {
  readonly verb: string;
  readonly group: string;
  readonly version?: string;
  readonly plural: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** `spec.nodeName` that a list or watch of pods is bound to. */
  readonly nodeName?: string | undefined;
}

export interface PathAttributes {
  readonly verb: string;
  readonly path: string;
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
}

/** Says who may do what; whatever nobody allows is denied. */
export interface Authorizer {
  decide(user: User, attributes: ResourceAttributes): Decision;
  decidePath(user: User, attributes: PathAttributes): Decision;
  /** @throws {StatusFault} Forbidden */
  require(user: User, attributes: ResourceAttributes): Promise<void>;
  /** @throws {StatusFault} Forbidden */
  requirePath(user: User, attributes: PathAttributes): void;
}

const PUBLIC_PATHS = new Set(["/healthz", "/livez", "/readyz", "/version", "/version/"]);
/** What everyone who has shown who they are may read, as system:discovery has it. */
const DISCOVERY =
  /^\/(?:api|apis|openapi)(?:\/|$)|^\/(?:\.well-known\/openid-configuration|openid\/v1\/jwks)$/;
const SELF_REVIEWS = new Set(["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"]);
const NO: Decision = { allowed: false, reason: "" };

export class ClusterAuthorizer implements Authorizer {
  readonly #rbac: Rbac;

  constructor(rbac: Rbac) {
    this.#rbac = rbac;
  }

  decide(user: User, attributes: ResourceAttributes): Decision {
    if (isMaster(user)) return { allowed: true, reason: "" };
    if (attributes.verb === "create" && SELF_REVIEWS.has(attributes.plural) && isKnown(user))
      return { allowed: true, reason: "" };
    if (isNodeAllowed(user, attributes)) return { allowed: true, reason: "" };
    return this.#rbac.decide(user, attributes);
  }

  decidePath(user: User, { verb, path }: PathAttributes): Decision {
    const allow = { allowed: true, reason: "" };
    if (isMaster(user)) return allow;
    if (verb === "get" && PUBLIC_PATHS.has(path)) return allow;
    if (verb === "get" && isKnown(user) && DISCOVERY.test(path)) return allow;
    return this.#rbac.allowsPath(user, { verb, path }) ? allow : NO;
  }

  async require(user: User, attributes: ResourceAttributes): Promise<void> {
    const { allowed, reason } = this.decide(user, attributes);
    if (!allowed) throw forbiddenResource(user, attributes, reason);
  }

  requirePath(user: User, attributes: PathAttributes): void {
    if (this.decidePath(user, attributes).allowed) return;
    throw new StatusFault(
      "Forbidden",
      escapeHtml(
        `forbidden: User ${JSON.stringify(user.name)} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}`,
      ),
      { details: {} },
    );
  }
}

function isKnown(user: User): boolean {
  return user.groups.includes("system:authenticated");
}

function forbiddenResource(user: User, attributes: ResourceAttributes, reason: string): StatusFault {
  const { verb, group, plural, subresource, namespace, name = "" } = attributes;
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
  const where =
    namespace === undefined ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(resource)}`;
  const why = `${who} in API group ${JSON.stringify(group)} ${where}${reason === "" ? "" : `: ${reason}`}`;
  return forbidden({ group, plural }, name, escapeHtml(why));
}

/** The message may end up in a browser, so it is made harmless there. */
function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
