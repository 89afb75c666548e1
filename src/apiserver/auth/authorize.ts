import type { PolicyRule } from "#kube/generated/types";
import { forbidden, StatusFault } from "../status.ts";
import type { Decision, PathAttributes, ResourceAttributes } from "./attributes.ts";
import { type NodeAuthorizer, nodeOf } from "./node-authorizer.ts";
import { missingText, type Rbac } from "./rbac.ts";
import { isMaster, type User } from "./user.ts";

export type { Decision, PathAttributes, ResourceAttributes } from "./attributes.ts";

/** What someone may do, as far as it can be listed. */
export interface HeldRules {
  readonly rules: readonly PolicyRule[];
  /** What was wrong on the way. */
  readonly problems: readonly string[];
  /** There may be more than can be listed. */
  readonly isIncomplete: boolean;
}

export interface RoleRules {
  readonly rules: readonly PolicyRule[];
  readonly missing: readonly string[];
}

/** Says who may do what; whatever nobody allows is denied. */
export interface Authorizer {
  decide(user: User, attributes: ResourceAttributes): Decision;
  decidePath(user: User, attributes: PathAttributes): Decision;
  /** Everything the user may do: everywhere, and in `namespace` when there is one. */
  rulesOf(user: User, namespace: string | undefined): HeldRules;
  /** What roles and bindings alone allow the user, and the names of roles that were not there; a member of system:masters has the role bound to
   *  that group. */
  heldRules(user: User, namespace: string | undefined): RoleRules;
  /** Resolves to why it is allowed. @throws {StatusFault} Forbidden */
  require(user: User, attributes: ResourceAttributes): Promise<Decision>;
  /** @throws {StatusFault} Forbidden */
  requirePath(user: User, attributes: PathAttributes): Decision;
}

const MASTER: Decision = { allowed: true, reason: "" };

/** First whether someone is a master, then the nodes' own rules, then roles: the first to allow decides. */
export class ClusterAuthorizer implements Authorizer {
  readonly #rbac: Rbac;
  readonly #nodes: NodeAuthorizer;

  constructor(parts: { readonly rbac: Rbac; readonly nodes: NodeAuthorizer }) {
    this.#rbac = parts.rbac;
    this.#nodes = parts.nodes;
  }

  decide(user: User, attributes: ResourceAttributes): Decision {
    if (isMaster(user)) return MASTER;
    const node = this.#nodes.decide(user, attributes);
    if (node.allowed) return node;
    const role = this.#rbac.decide(user, attributes);
    if (role.allowed) return role;
    return {
      allowed: false,
      reason: [node.reason, role.reason].filter((reason) => reason !== "").join("\n"),
    };
  }

  decidePath(user: User, attributes: PathAttributes): Decision {
    return isMaster(user) ? MASTER : this.#rbac.decidePath(user, attributes);
  }

  rulesOf(user: User, namespace: string | undefined): HeldRules {
    const { rules, missing } = this.#rbac.rulesOf(user, namespace);
    const isIncomplete = nodeOf(user) !== undefined;
    const problems = isIncomplete ? ["node authorizer does not support user rule resolution"] : [];
    return { rules, problems: [...problems, ...new Set(missing.map(missingText))], isIncomplete };
  }

  heldRules(user: User, namespace: string | undefined): RoleRules {
    const { rules, missing } = this.#rbac.rulesOf(user, namespace);
    return { rules, missing: missing.map(({ name }) => name) };
  }

  async require(user: User, attributes: ResourceAttributes): Promise<Decision> {
    const decision = this.decide(user, attributes);
    if (!decision.allowed) throw forbiddenResource(user, attributes, decision.reason);
    return decision;
  }

  requirePath(user: User, attributes: PathAttributes): Decision {
    const decision = this.decidePath(user, attributes);
    if (decision.allowed) return decision;
    const { verb, path } = attributes;
    const why = decision.reason === "" ? "" : `: ${decision.reason}`;
    throw new StatusFault(
      "Forbidden",
      escapeHtml(
        `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}${why}`,
      ),
      { details: {} },
    );
  }
}

/** Why the user may not do it, as clients are told. */
export function forbiddenResource(user: User, attributes: ResourceAttributes, reason: string): StatusFault {
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
