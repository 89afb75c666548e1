import { type NamespacedName, namespacedName } from "#addr/name";
import type { ObjectMeta } from "./generated/types.ts";

/** What every object of the API has in common. */
export interface KubeObject {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata: ObjectMeta;
}

/** One resource of the API, with the type of its objects; `plural` is the word in the URL. */
export interface Resource<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Never set: it only carries the type. */
  readonly type?: T;
}

export interface ObjectRef {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export type WatchEvent<T extends KubeObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export function keyOf(object: KubeObject): NamespacedName {
  return namespacedName(object.metadata);
}

export function apiVersionOf(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}
