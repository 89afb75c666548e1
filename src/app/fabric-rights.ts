import { Fault } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { KubeObject, Resource } from "#kube/object";

interface AccessReview extends KubeObject {
  readonly spec?: unknown;
  readonly status?: { readonly allowed?: boolean };
}
const REVIEWS: Resource<AccessReview> = {
  group: "authorization.k8s.io",
  version: "v1",
  plural: "selfsubjectaccessreviews",
  kind: "SelfSubjectAccessReview",
  namespaced: false,
};

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
    if (!(await isAllowed(client, { verb, resource: "nodes", ...rest, ...name })))
      missing.push(`${verb} nodes${"subresource" in rest ? `/${rest.subresource}` : ""}`);
  }
  if (missing.length > 0)
    throw new Fault(
      "NotAllowed",
      `Cannot be the fabric of Node ${node}: the cluster does not allow ${missing.join(", ")}; bind this role to the kubeconfig's user or the service account:\n${ROLE}\n`,
    );
}

async function isAllowed(client: KubeClient, resourceAttributes: object): Promise<boolean> {
  try {
    const review = { metadata: { name: "" }, spec: { resourceAttributes } };
    const answer = await client.create(REVIEWS, review as AccessReview);
    return answer.status?.allowed !== false;
  } catch (error) {
    // A cluster that does not say goes by what it does.
    if (isApiFault(error, "NotFound", "MethodNotAllowed", "Forbidden")) return true;
    throw error;
  }
}
