import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { LabelSelector, ObjectMeta, OwnerReference } from "#kube/generated/types";
import { isEmptySelector, matchesSelector } from "#kube/label-selector";
import { type KubeObject, keyOf, type Resource } from "#kube/object";
import { controllerOf, controllerRef, isDeleting, uidOf } from "#kube/owner";

export interface Claims<T> {
  readonly keep: readonly T[];
  readonly adopt: readonly T[];
  readonly release: readonly T[];
}

/** Sorts candidates into those that are the parent's, those to take and those to let go. */
export function planClaims<T extends KubeObject>(
  parent: KubeObject,
  selector: LabelSelector,
  candidates: readonly T[],
): Claims<T> {
  const claims = { keep: [] as T[], adopt: [] as T[], release: [] as T[] };
  const isLeaving = isDeleting(parent);
  for (const child of candidates) {
    const owner = controllerOf(child);
    const matches = !isEmptySelector(selector) && matchesSelector(selector, child.metadata.labels);
    if (owner?.uid === parent.metadata.uid) {
      if (matches) claims.keep.push(child);
      else if (!isLeaving) claims.release.push(child);
    } else if (owner === undefined && matches && !isLeaving && !isDeleting(child)) claims.adopt.push(child);
  }
  return claims;
}

/** Brings ownership in step with the selector and returns the children that are the parent's afterwards. */
export async function claimChildren<P extends KubeObject, T extends KubeObject>(
  client: KubeClient,
  own: { readonly resource: Resource<P>; readonly parent: P; readonly selector: LabelSelector },
  children: {
    readonly resource: Resource<T>;
    readonly candidates: readonly T[];
    /** Comes and goes with the ownership. */
    readonly finalizer?: string;
  },
): Promise<readonly T[]> {
  const { finalizer } = children;
  const { keep, adopt, release } = planClaims(own.parent, own.selector, children.candidates);
  await Promise.all(
    release.map((child) => {
      const ownerReferences = othersOf(child, own.parent);
      const finalizers = withoutFinalizer(child, finalizer);
      return setOwners(client, children.resource, child, { ownerReferences, ...finalizers });
    }),
  );
  if (adopt.length === 0 || !(await isStillThere(client, own.resource, own.parent))) return keep;
  const ref = controllerRef(own.resource, own.parent);
  const adopted = await Promise.all(
    adopt.map((child) => {
      const ownerReferences = [...(child.metadata.ownerReferences ?? []), ref];
      const finalizers = withFinalizer(child, finalizer);
      return setOwners(client, children.resource, child, { ownerReferences, ...finalizers });
    }),
  );
  return [...keep, ...adopted.filter((child) => child !== undefined)];
}

/** A deleted parent must not adopt, and only the API knows. */
async function isStillThere<P extends KubeObject>(
  client: KubeClient,
  resource: Resource<P>,
  parent: P,
): Promise<boolean> {
  try {
    const live = await client.get(resource, parent.metadata);
    return live.metadata.uid === parent.metadata.uid && !isDeleting(live);
  } catch (error) {
    if (isApiFault(error, "NotFound")) return false;
    throw error;
  }
}

function othersOf(child: KubeObject, parent: KubeObject): readonly OwnerReference[] {
  return (child.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== parent.metadata.uid);
}

function withFinalizer({ metadata }: KubeObject, finalizer: string | undefined): Partial<ObjectMeta> {
  if (finalizer === undefined || metadata.finalizers?.includes(finalizer)) return {};
  return { finalizers: [...(metadata.finalizers ?? []), finalizer] };
}

function withoutFinalizer({ metadata }: KubeObject, finalizer: string | undefined): Partial<ObjectMeta> {
  if (finalizer === undefined || !metadata.finalizers?.includes(finalizer)) return {};
  return { finalizers: metadata.finalizers.filter((name) => name !== finalizer) };
}

/** Undefined when the child is gone, or no longer the one we saw. */
async function setOwners<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  child: T,
  change: Partial<ObjectMeta>,
): Promise<T | undefined> {
  const { resourceVersion } = child.metadata;
  const metadata = { uid: uidOf(child), resourceVersion, ...change };
  try {
    return await client.patch(resource, child.metadata, { metadata }, { type: "merge" });
  } catch (error) {
    if (isApiFault(error, "NotFound", "Invalid")) return undefined;
    throw error;
  }
}

/** The key of the controller of that kind, if the object has one: what to look at when the object changed. */
export function controllerKey(object: KubeObject, resource: Resource): string | undefined {
  const owner = controllerOf(object);
  if (owner?.kind !== resource.kind || groupOf(owner.apiVersion) !== resource.group) return undefined;
  return keyOf({ metadata: { namespace: object.metadata.namespace, name: owner.name } });
}

/** Versions of a group hold the same objects. */
function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}
