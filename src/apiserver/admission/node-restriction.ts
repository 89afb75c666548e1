import type { Node, Pod } from "#kube/generated/types";
import { PODS } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../admit.ts";
import { sameJson } from "../kinds/field/same.ts";
import type { Draft, WriteContext } from "../kinds/kind.ts";
import { forbidden } from "../status.ts";
import { isMirror } from "./service-account.ts";

const USER_PREFIX = "system:node:";
const LEASE_NAMESPACE = "kube-node-lease";
const RESERVED_PREFIX = "node-restriction.kubernetes.io/";

/** A node's own credentials change its own Node, its own lease, and the pods bound to it; nothing else of these kinds. */
export const nodeRestriction: Admission = {
  name: "NodeRestriction",
  validate: (request, context) => {
    const node = nodeOf(context);
    if (node === undefined) return;
    const why = RULES[request.spec.resource.plural]?.(request, node, context);
    if (why !== undefined) throw forbidden(request.spec.resource, request.name, why);
  },
};

/** The node a user is, if it is one. */
function nodeOf({ user }: WriteContext): string | undefined {
  return user.groups.includes("system:nodes") && user.name.startsWith(USER_PREFIX)
    ? user.name.slice(USER_PREFIX.length)
    : undefined;
}

type Rule = (request: AdmissionRequest, node: string, context: WriteContext) => string | undefined;

const RULES: Readonly<Record<string, Rule>> = {
  nodes: refuseNode,
  leases: refuseLease,
  pods: refusePod,
  serviceaccounts: refuseToken,
};

function refuseNode({ operation, name, draft, stored }: AdmissionRequest, node: string): string | undefined {
  const target = name || draft.metadata?.name;
  if (target !== node) return `node "${node}" is not allowed to modify node "${target}"`;
  if (operation === "delete") return undefined;
  const before = stored as Node | undefined;
  if (operation === "update" && !sameJson(draft.spec?.taints ?? [], before?.spec?.taints ?? []))
    return `node "${node}" is not allowed to modify taints`;
  const touched = changedLabels(draft.metadata.labels, before?.metadata.labels).filter((key) =>
    key.startsWith(RESERVED_PREFIX),
  );
  if (touched.length === 0) return undefined;
  return `is not allowed to modify labels: ${touched.sort().join(", ")}`;
}

type Labels = Readonly<Record<string, string>> | undefined;

function changedLabels(now: Labels, before: Labels): string[] {
  const keys = new Set([...Object.keys(now ?? {}), ...Object.keys(before ?? {})]);
  return [...keys].filter((key) => now?.[key] !== before?.[key]);
}

function refuseLease({ namespace, name, draft }: AdmissionRequest, node: string): string | undefined {
  if (namespace !== LEASE_NAMESPACE)
    return `can only access leases in the "${LEASE_NAMESPACE}" system namespace`;
  return (name || draft.metadata?.name) === node
    ? undefined
    : "can only access node lease with the same name as the requesting node";
}

function refusePod(request: AdmissionRequest, node: string): string | undefined {
  const pod = (request.stored ?? request.draft) as Pod;
  const isOwn = pod.spec?.nodeName === node;
  if (request.operation === "create" && request.subresource === undefined) {
    if (!isMirror(pod))
      return `pod does not have "kubernetes.io/config.mirror" annotation, node "${node}" can only create mirror pods`;
    return isOwn ? undefined : `node "${node}" can only create pods with spec.nodeName set to itself`;
  }
  if (isOwn) return undefined;
  if (request.operation === "delete")
    return `node "${node}" can only delete pods with spec.nodeName set to itself`;
  return `node "${node}" can only update pod status for pods with spec.nodeName set to itself`;
}

/** A node may ask for tokens of accounts, but only bound to a pod that runs on it. */
function refuseToken(request: AdmissionRequest, node: string, context: WriteContext): string | undefined {
  if (request.subresource !== "token") return undefined;
  const bound: Draft = request.draft.spec?.boundObjectRef;
  if (bound?.kind !== "Pod" || !bound.name) return "node requested token not bound to a pod";
  if (!bound.uid) return "node requested token with a pod binding without a uid";
  const pod = context.read(PODS, request.namespace, bound.name);
  if (pod === undefined) return `pod "${bound.name}" not found`;
  if (pod.metadata.uid !== bound.uid)
    return `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  return pod.spec?.nodeName === node
    ? undefined
    : "node requested token bound to a pod scheduled on a different node";
}
