import { API_SERVER_USER } from "../auth/user.ts";
import type { ResourceCache } from "../cache/resource-cache.ts";
import type { JsonObject } from "../json.ts";
import type { WriteRequest } from "./write-request.ts";

/** A write that the API server makes for itself. */
export function ownWrite(
  cache: ResourceCache,
  namespace: string | undefined,
  subresource?: "status",
): WriteRequest {
  const user = API_SERVER_USER;
  return { cache, namespace, user, dryRun: false, manager: "kube-apiserver", subresource, warn: () => {} };
}

/** What the server says of itself as a draft: JSON, as any client's, and shared with nobody. */
export function ownDraft(object: object): JsonObject {
  return structuredClone(object) as unknown as JsonObject;
}
