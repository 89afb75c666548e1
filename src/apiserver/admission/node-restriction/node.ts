import type { Node } from "#kube/generated/types";
import { sameJson } from "../../kinds/field/same.ts";
import type { NodeRule } from "../node-restriction.ts";

const RESTRICTED = "node-restriction.kubernetes.io";
/** Labels of Kubernetes' own that say what a machine is: a node puts them on itself. */
const OWN_LABELS = new Set([
  "kubernetes.io/hostname",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
  "node.kubernetes.io/instance-type",
  "beta.kubernetes.io/instance-type",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "node.kubernetes.io/windows-build",
]);
const OWN_LABEL_NAMESPACES = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/** A node writes only its own Node, and of that neither its taints nor a label that would draw others' pods to it. */
export const refuseNode: NodeRule = ({ operation, name, draft, stored }, node) => {
  const target = name || draft.metadata?.name;
  if (target !== node) return `node "${node}" is not allowed to modify node "${target}"`;
  if (operation === "delete") return undefined;
  const before = stored as Node | undefined;
  const touched = changed(draft.metadata.labels, before?.metadata.labels).filter(isOthersLabel).sort();
  const source = draft.spec?.configSource ?? undefined;
  if (operation === "create" && source !== undefined)
    return `node "${node}" is not allowed to create pods with a non-nil configSource`;
  if (operation === "create")
    return touched.length === 0
      ? undefined
      : `node "${node}" is not allowed to set the following labels: ${touched.join(", ")}`;
  if (source !== undefined && !sameJson(source, before?.spec?.configSource))
    return `node "${node}" is not allowed to update configSource to a new non-nil configSource`;
  if (!sameJson(draft.spec?.taints ?? [], before?.spec?.taints ?? []))
    return `node "${node}" is not allowed to modify taints`;
  if (!sameJson(draft.metadata.ownerReferences ?? [], before?.metadata.ownerReferences ?? []))
    return `node "${node}" is not allowed to modify ownerReferences`;
  return touched.length === 0 ? undefined : `is not allowed to modify labels: ${touched.join(", ")}`;
};

type Labels = Readonly<Record<string, string>> | undefined;

function changed(now: Labels, before: Labels): string[] {
  const keys = new Set([...Object.keys(now ?? {}), ...Object.keys(before ?? {})]);
  return [...keys].filter((key) => now?.[key] !== before?.[key]);
}

/** Whether a label is one that a node must not give itself. */
export function isOthersLabel(label: string): boolean {
  const slash = label.indexOf("/");
  const namespace = slash < 0 ? "" : label.slice(0, slash);
  if (isIn(namespace, RESTRICTED)) return true;
  const isKubernetes = isIn(namespace, "kubernetes.io") || isIn(namespace, "k8s.io");
  const isOwn = OWN_LABELS.has(label) || OWN_LABEL_NAMESPACES.some((own) => isIn(namespace, own));
  return isKubernetes && !isOwn;
}

function isIn(namespace: string, domain: string): boolean {
  return namespace === domain || namespace.endsWith(`.${domain}`);
}
