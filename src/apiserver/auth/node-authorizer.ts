import type { PolicyRule } from "#kube/generated/types";
import { nodeRules } from "../kinds/bootstrap/node-rules.ts";
import type { Decision, ResourceAttributes } from "./attributes.ts";
import type { NodeGraph } from "./node-graph.ts";
import type { Reference } from "./pod-references.ts";
import { ruleAllows } from "./rules.ts";
import type { User } from "./user.ts";

const USER_PREFIX = "system:node:";
const LEASE_NAMESPACE = "kube-node-lease";

/** The name of the node a user is, if it is one. */
export function nodeOf(user: Pick<User, "name" | "groups">): string | undefined {
  return user.groups.includes("system:nodes") && user.name.startsWith(USER_PREFIX)
    ? user.name.slice(USER_PREFIX.length)
    : undefined;
}

const YES: Decision = { allowed: true, reason: "" };
const SILENT_NO: Decision = { allowed: false, reason: "" };

/** What one node may do: what the role of nodes allows, narrowed to its own Node, its own pods, and what those refer to.
 *  @see kubernetes plugin/pkg/auth/authorizer/node/node_authorizer.go */
export class NodeAuthorizer {
  readonly #graph: NodeGraph;
  readonly #rules: readonly PolicyRule[] = nodeRules();

  constructor(graph: NodeGraph) {
    this.#graph = graph;
  }

  decide(user: User, attributes: ResourceAttributes): Decision {
    const node = nodeOf(user);
    if (node === undefined) return SILENT_NO;
    const decide = Object.hasOwn(DIVIDED, key(attributes)) ? DIVIDED[key(attributes)] : undefined;
    if (decide !== undefined) return decide(node, attributes, this.#graph);
    return this.#rules.some((rule) => ruleAllows(rule, attributes)) ? YES : SILENT_NO;
  }
}

function key({ group, plural }: ResourceAttributes): string {
  return `${group}/${plural}`;
}

type Decide = (node: string, attributes: ResourceAttributes, graph: NodeGraph) => Decision;

/** Resources of which a node gets only a part. */
const DIVIDED: Readonly<Record<string, Decide>> = {
  "/secrets": readNamed("secret"),
  "/configmaps": readNamed("configmap"),
  "/persistentvolumeclaims": claim,
  "/persistentvolumes": getNamed("persistentvolume"),
  "storage.k8s.io/volumeattachments": getNamed("volumeattachment"),
  "/serviceaccounts": account,
  "coordination.k8s.io/leases": lease,
  "storage.k8s.io/csinodes": csiNode,
  "/nodes": ownNode,
  "/pods": ownPods,
};

function no(reason: string): Decision {
  return { allowed: false, reason };
}

function related(
  kind: Reference["kind"],
  node: string,
  { namespace, name = "" }: ResourceAttributes,
  graph: NodeGraph,
): Decision {
  if (name === "") return no("No Object name found");
  return graph.reaches(node, { kind, namespace, name })
    ? YES
    : no(`no relationship found between node '${node}' and this object`);
}

/** Get, list or watch of one object. */
function readNamed(kind: Reference["kind"]): Decide {
  return (node, attributes, graph) => {
    if (!["get", "list", "watch"].includes(attributes.verb))
      return no("can only read resources of this type");
    if (attributes.subresource !== undefined) return no("cannot read subresource");
    if (attributes.namespace === undefined) return no("can only read namespaced object of this type");
    return related(kind, node, attributes, graph);
  };
}

function getNamed(kind: Reference["kind"]): Decide {
  return (node, attributes, graph) => {
    if (attributes.verb !== "get") return no("can only get individual resources of this type");
    if (attributes.subresource !== undefined) return no("cannot get subresource");
    return related(kind, node, attributes, graph);
  };
}

function claim(node: string, attributes: ResourceAttributes, graph: NodeGraph): Decision {
  if (attributes.subresource !== "status") return getNamed("persistentvolumeclaim")(node, attributes, graph);
  if (!["update", "patch"].includes(attributes.verb)) return no("can only get/update/patch this type");
  return related("persistentvolumeclaim", node, attributes, graph);
}

/** Tokens of the accounts its pods run under; an account itself when a pod's image is pulled with its help. */
function account(node: string, attributes: ResourceAttributes, graph: NodeGraph): Decision {
  const { verb, subresource, name = "" } = attributes;
  if (verb === "get" && subresource === undefined) return related("serviceaccount", node, attributes, graph);
  if (verb !== "create" || name === "") return no("can only create tokens for individual service accounts");
  if (subresource !== "token") return no("can only create token subresource of serviceaccount");
  return related("serviceaccount", node, attributes, graph);
}

/** On create the name is not known yet: admission looks at it then. */
function lease(node: string, { verb, namespace, name }: ResourceAttributes): Decision {
  if (!OWN_VERBS.has(verb)) return no("can only get, create, update, patch, or delete a node lease");
  if (namespace !== LEASE_NAMESPACE)
    return no(`can only access leases in the "${LEASE_NAMESPACE}" system namespace`);
  if (verb !== "create" && name !== node)
    return no("can only access node lease with the same name as the requesting node");
  return YES;
}

const OWN_VERBS = new Set(["get", "create", "update", "patch", "delete"]);

function csiNode(node: string, { verb, subresource, name }: ResourceAttributes): Decision {
  if (!OWN_VERBS.has(verb)) return no("can only get, create, update, patch, or delete a CSINode");
  if (subresource !== undefined) return no("cannot authorize CSINode subresources");
  if (verb !== "create" && name !== node)
    return no("can only access CSINode with the same name as the requesting node");
  return YES;
}

function ownNode(node: string, { verb, subresource, name = "" }: ResourceAttributes): Decision {
  if (subresource === "status") return verb === "update" || verb === "patch" ? YES : SILENT_NO;
  if (subresource !== undefined) return SILENT_NO;
  if (["create", "update", "patch"].includes(verb)) return YES;
  if (!["get", "list", "watch"].includes(verb)) return SILENT_NO;
  if (name === node) return YES;
  return no(
    name === ""
      ? `node '${node}' cannot read all nodes, only its own Node object`
      : `node '${node}' cannot read '${name}', only its own Node object`,
  );
}

function ownPods(node: string, attributes: ResourceAttributes, graph: NodeGraph): Decision {
  const { verb, subresource, name = "", fields = [] } = attributes;
  if (subresource === "status") return verb === "update" || verb === "patch" ? YES : SILENT_NO;
  if (subresource === "eviction") return verb === "create" ? YES : SILENT_NO;
  if (subresource !== undefined) return SILENT_NO;
  if (verb === "get") return related("pod", node, attributes, graph);
  if (verb === "create" || verb === "delete") return YES;
  if (verb !== "list" && verb !== "watch") return SILENT_NO;
  if (fields.some(({ field, equal, value }) => field === "spec.nodeName" && equal && value === node))
    return YES;
  return name === ""
    ? no("can only list/watch pods with spec.nodeName field selector")
    : related("pod", node, attributes, graph);
}
