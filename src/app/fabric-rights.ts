import { Fault } from "#fault/fault";
import type { KubeClient } from "#kube/client";
import { formatWish, isAllowed, type Wish } from "./access.ts";

/** All that a fabric asks of an API: flannel's role. */
const RIGHTS = [
  { verb: "get" },
  { verb: "list" },
  { verb: "watch" },
  { verb: "patch", subresource: "status" },
] as const;
const ROLE = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: twill-fabric}
rules:
- {apiGroups: [""], resources: [nodes], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [nodes/status], verbs: [patch]}`;

/** Returns when the cluster lets us do all of it on this Node. @throws {Fault} NotAllowed with what is missing, and the role that
 *  has it; ApiFault when nobody answers */
export async function checkFabricRights(client: KubeClient, node: string): Promise<void> {
  const missing: string[] = [];
  for (const { verb, ...rest } of RIGHTS) {
    const name = verb === "get" || verb === "patch" ? { name: node } : {};
    const wish: Wish = { verb, resource: "nodes", ...rest, ...name };
    if (!(await isAllowed(client, wish))) missing.push(formatWish(wish));
  }
  if (missing.length > 0)
    throw new Fault(
      "NotAllowed",
      `Cannot be the fabric of Node ${node}: the cluster does not allow ${missing.join(", ")}; bind this role to the kubeconfig's user or the service account:\n${ROLE}\n`,
    );
}
