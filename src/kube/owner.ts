import type { ObjectReference, OwnerReference } from "./generated/types.ts";
import { apiVersionOf, type KubeObject, type Resource } from "./object.ts";

/** The one owner that manages the object, if any. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === uidOf(owner);
}

/** The reference a controller writes into what it makes: deleted with the owner, and holding up its foreground deletion. */
export function controllerRef(resource: Resource, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name,
    uid: uidOf(owner),
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** What events and endpoints call an object. */
export function objectReference(
  resource: Resource,
  object: KubeObject,
): ObjectReference & { kind: string; name: string } {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
    name: object.metadata.name,
    uid: object.metadata.uid,
    resourceVersion: object.metadata.resourceVersion,
  };
}

/** The uid of an object that came from the server; only an object never stored has none. */
export function uidOf(object: KubeObject): string {
  const { uid } = object.metadata;
  if (uid === undefined) throw new Error(`broken invariant: ${object.metadata.name} has no uid`);
  return uid;
}

export function isDeleting(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}
