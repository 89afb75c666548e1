import type { Admission, AdmissionRequest } from "../admit.ts";
import { nodeOf } from "../auth/node-authorizer.ts";
import { sameJson } from "../kinds/field/same.ts";
import type { Draft, WriteContext } from "../kinds/kind.ts";
import { forbidden } from "../status.ts";
import { refuseNode } from "./node-restriction/node.ts";
import { refusePod } from "./node-restriction/pod.ts";
import { refuseToken } from "./node-restriction/token.ts";

const LEASE_NAMESPACE = "kube-node-lease";

/** What a node may not do with an object; undefined when it may. @throws {StatusFault} NotFound for what the object is about */
export type NodeRule = (request: AdmissionRequest, node: string, context: WriteContext) => string | undefined;

/** A node's own credentials change its own Node, its own lease, and the pods bound to it; nothing else of these kinds.
 *  @see kubernetes plugin/pkg/admission/noderestriction */
export const nodeRestriction: Admission = {
  name: "NodeRestriction",
  validate: (request, context) => {
    const node = nodeOf(context.user);
    if (node === undefined) return;
    const { plural } = request.spec.resource;
    const rule = Object.hasOwn(RULES, plural) ? RULES[plural] : undefined;
    const why = rule?.(request, node, context);
    if (why !== undefined) throw forbidden(request.spec.resource, request.name, why);
  },
};

const RULES: Readonly<Record<string, NodeRule>> = {
  nodes: refuseNode,
  pods: refusePod,
  serviceaccounts: refuseToken,
  leases: refuseLease,
  csinodes: refuseCsiNode,
  persistentvolumeclaims: refuseClaim,
};

function refuseLease({ namespace, name, draft }: AdmissionRequest, node: string): string | undefined {
  if (namespace !== LEASE_NAMESPACE)
    return `can only access leases in the "${LEASE_NAMESPACE}" system namespace`;
  return (name || draft.metadata?.name) === node
    ? undefined
    : "can only access node lease with the same name as the requesting node";
}

function refuseCsiNode({ name, draft }: AdmissionRequest, node: string): string | undefined {
  return (name || draft.metadata?.name) === node
    ? undefined
    : "can only access CSINode with the same name as the requesting node";
}

/** Of a claim a node reports how large it has become; it changes nothing else. */
function refuseClaim(
  { operation, subresource, draft, stored }: AdmissionRequest,
  node: string,
): string | undefined {
  if (subresource !== "status") return "may only update PVC status";
  if (operation !== "update") return `unexpected operation "${operation.toUpperCase()}"`;
  const rest = (object: Draft) => {
    const { resourceVersion, managedFields, ...metadata } = object.metadata;
    const { capacity, conditions, allocatedResourceStatuses, allocatedResources, ...status } =
      object.status ?? {};
    return { ...object, metadata, status };
  };
  return sameJson(rest(draft), rest(stored))
    ? undefined
    : `node "${node}" is not allowed to update fields other than status.quantity and status.conditions`;
}
