import type { KindSpec } from "../kinds/kind.ts";
import type { ResourceRequest } from "./info.ts";

const METHODS_OF_ONE = new Set(["GET", "PUT", "PATCH", "DELETE"]);
const METHODS_OF_ALL = new Set(["GET", "POST", "DELETE"]);
const REVIEW_GROUPS = new Set(["authentication.k8s.io", "authorization.k8s.io"]);

/** Whether the path is written as the routes of our own kinds are: a scope where the kind has one, no empty parts, nothing behind the end. */
export function isWellFormed(info: ResourceRequest, { resource }: KindSpec): boolean {
  const { namespace, name, subresource, rest, path } = info;
  const isProxy = subresource === "proxy";
  const own = isProxy ? path.slice(0, path.indexOf("/proxy")) : path;
  if (own.includes("//") || name?.includes("/") || namespace?.includes("/")) return false;
  if (!isInScope(info, resource.namespaced)) return false;
  return rest.length === 0 || isProxy;
}

/** Whether a namespace stands in the path exactly where one is asked for: all of a namespaced kind may be listed without. */
export function isInScope({ namespace, name }: ResourceRequest, namespaced: boolean): boolean {
  return namespaced ? namespace !== undefined || name === undefined : namespace === undefined;
}

/** Whether a method may stand before this path at all, whatever the kind. HEAD may not: kube-apiserver routes GET alone. */
export function isRouted(
  { name, namespace, watchPrefix }: ResourceRequest,
  method: string,
  namespaced: boolean,
): boolean {
  if (watchPrefix) return method === "GET";
  if (name !== undefined) return METHODS_OF_ONE.has(method);
  return METHODS_OF_ALL.has(method) && (method === "GET" || !namespaced || namespace !== undefined);
}

/** Whether the group is one of the API's own: in those, what is not there is told in a Status, elsewhere in plain text. */
export function isOwnGroup(kinds: readonly KindSpec[], group: string): boolean {
  return (
    REVIEW_GROUPS.has(group) ||
    kinds.some(({ resource, custom }) => custom === undefined && resource.group === group)
  );
}
