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

/** What one would like to do, in the words of a SelfSubjectAccessReview. */
export interface Wish {
  readonly verb: string;
  readonly resource: string;
  readonly group?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** Whether the cluster lets us; true where it does not say. */
export async function isAllowed(client: KubeClient, wish: Wish): Promise<boolean> {
  try {
    const review = { metadata: { name: "" }, spec: { resourceAttributes: wish } };
    const answer = await client.create(REVIEWS, review as AccessReview);
    return answer.status?.allowed !== false;
  } catch (error) {
    // A cluster that does not say goes by what it does.
    if (isApiFault(error, "NotFound", "MethodNotAllowed", "Forbidden")) return true;
    throw error;
  }
}

/** As people write it, such as `patch nodes/status`. */
export function formatWish({ verb, resource, subresource }: Wish): string {
  return `${verb} ${resource}${subresource ? `/${subresource}` : ""}`;
}
