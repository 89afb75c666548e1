import type { ListOptions } from "./client.ts";
import { apiVersionOf, type ObjectRef, type Resource } from "./object.ts";

/** `/apis/apps/v1/namespaces/default/deployments`; without a namespace, the collection of all of them. */
export function collectionPath(resource: Resource, namespace: string | undefined): string {
  const prefix = resource.group === "" ? "/api" : "/apis";
  const within =
    resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${prefix}/${apiVersionOf(resource)}${within}/${resource.plural}`;
}

export function objectPath(resource: Resource, ref: ObjectRef, subresource?: string): string {
  const tail = subresource === undefined ? "" : `/${subresource}`;
  return `${collectionPath(resource, ref.namespace)}/${encodeURIComponent(ref.name)}${tail}`;
}

/** `?a=b&c=d`, leaving out what is undefined; empty when nothing is left. */
export function query(parameters: Readonly<Record<string, string | undefined>>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) if (value !== undefined) search.set(key, value);
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

export function selectorQuery(options: ListOptions): Record<string, string | undefined> {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}
