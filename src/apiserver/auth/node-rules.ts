import type { ResourceAttributes } from "./authorize.ts";
import type { User } from "./user.ts";

const READ = ["get", "list", "watch"];
const WRITE = ["create", "update", "patch"];

/** What a node needs of each resource: the kubelet's part, and Twill's fabric, service proxy, policy and DNS that run under the node's name.
 *  Which of these objects are its own is for admission (NodeRestriction) to say. */
const RULES: Readonly<Record<string, readonly string[]>> = {
  "/nodes": [...READ, ...WRITE],
  "/nodes/status": [...WRITE, "get"],
  "/pods": [...READ, "create", "delete"],
  "/pods/status": [...WRITE, "get"],
  "/pods/eviction": ["create"],
  "/services": READ,
  "/services/status": WRITE,
  "/endpoints": READ,
  "/namespaces": READ,
  "/configmaps": READ,
  "/secrets": READ,
  "/serviceaccounts": ["get", "list", "watch"],
  "/serviceaccounts/token": ["create"],
  "/persistentvolumeclaims": ["get"],
  "/persistentvolumes": ["get"],
  "/events": [...WRITE],
  "events.k8s.io/events": [...WRITE],
  "discovery.k8s.io/endpointslices": READ,
  "networking.k8s.io/networkpolicies": READ,
  "networking.k8s.io/servicecidrs": READ,
  "coordination.k8s.io/leases": [...READ, ...WRITE, "delete"],
  "storage.k8s.io/csinodes": [...READ, ...WRITE, "delete"],
  "storage.k8s.io/csidrivers": READ,
  "storage.k8s.io/storageclasses": READ,
  "node.k8s.io/runtimeclasses": READ,
  "scheduling.k8s.io/priorityclasses": READ,
  "certificates.k8s.io/certificatesigningrequests": ["create", "get", "list", "watch"],
  "authentication.k8s.io/tokenreviews": ["create"],
  "authorization.k8s.io/subjectaccessreviews": ["create"],
};

export function isNodeAllowed(user: User, attributes: ResourceAttributes): boolean {
  if (!user.groups.includes("system:nodes") || !user.name.startsWith("system:node:")) return false;
  const { group, plural, subresource, verb } = attributes;
  const key = subresource === undefined ? `${group}/${plural}` : `${group}/${plural}/${subresource}`;
  return Object.hasOwn(RULES, key) && (RULES[key]?.includes(verb) ?? false);
}
