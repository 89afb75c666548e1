import { isDeepStrictEqual } from "node:util";
import type { DeleteOptions } from "../client.ts";
import type { ObjectMeta } from "../generated/types.ts";
import { apiVersionOf, type KubeObject, type Resource } from "../object.ts";

type Parts = KubeObject & {
  readonly spec?: { readonly finalizers?: readonly string[]; readonly nodeName?: string };
  readonly status?: { readonly phase?: string };
};

let uids = 0;

/** A new object with what the server fills in. */
export function admitted(
  resource: Resource,
  object: KubeObject,
  { name, now }: { name: string; now: number },
): KubeObject {
  const { resourceVersion: _, ...given } = object.metadata;
  const metadata: ObjectMeta = {
    ...given,
    name,
    uid: `00000000-0000-4000-8000-${(++uids).toString(16).padStart(12, "0")}`,
    creationTimestamp: timeText(now),
    ...("spec" in object ? { generation: 1 } : {}),
  };
  const draft = clean({ ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata });
  if (resource.kind === "Namespace")
    return { ...draft, ...{ spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } } };
  if (resource.kind === "Pod")
    return { ...draft, ...{ status: (object as Parts).status ?? { phase: "Pending" } } };
  return draft;
}

/** The object after an update: `stored` itself when nothing changes, undefined when its last finalizer went. */
export function updated(
  resource: Resource,
  stored: KubeObject,
  wanted: KubeObject,
  subresource: string | undefined,
): KubeObject | undefined {
  const merged = clean(mergeParts(stored, wanted, subresource));
  const { resourceVersion, generation, uid, creationTimestamp, deletionTimestamp } = stored.metadata;
  const metadata = {
    ...merged.metadata,
    resourceVersion,
    uid,
    creationTimestamp,
    deletionTimestamp,
    generation,
  };
  const next: Parts = clean({ ...merged, metadata });
  if (isDeepStrictEqual(next, stored)) return stored;
  if (deletionTimestamp !== undefined && !isHeld(resource, next) && isHeld(resource, stored))
    return undefined;
  if (subresource === "status" || generation === undefined) return next;
  const grew = !isDeepStrictEqual(next.spec, (stored as Parts).spec);
  return grew ? { ...next, metadata: { ...next.metadata, generation: generation + 1 } } : next;
}

/** What stays after a delete: undefined when the object goes at once, `stored` itself when nothing changes. */
export function deletionOf(
  resource: Resource,
  stored: Parts,
  options: DeleteOptions,
  now: number,
): KubeObject | undefined {
  const finalizers = new Set(stored.metadata.finalizers ?? []);
  if (options.propagationPolicy === "Foreground") finalizers.add("foregroundDeletion");
  if (options.propagationPolicy === "Orphan") finalizers.add("orphan");
  const graceSeconds = resource.kind === "Pod" ? graceOf(stored, options) : 0;
  const next: Parts = clean({
    ...stored,
    metadata: {
      ...stored.metadata,
      ...(finalizers.size > 0 ? { finalizers: [...finalizers] } : {}),
      deletionTimestamp: stored.metadata.deletionTimestamp ?? timeText(now + graceSeconds * 1000),
      deletionGracePeriodSeconds: graceSeconds,
    },
    ...(resource.kind === "Namespace" ? { status: { ...stored.status, phase: "Terminating" } } : {}),
  });
  if (!isHeld(resource, next) && graceSeconds === 0) return undefined;
  return isDeepStrictEqual(next, stored) ? stored : next;
}

/** Only a pod that may run somewhere is given time to stop. */
function graceOf(pod: Parts, options: DeleteOptions): number {
  const isPlaced = pod.spec?.nodeName && pod.status?.phase !== "Succeeded" && pod.status?.phase !== "Failed";
  return isPlaced ? (options.gracePeriodSeconds ?? 30) : 0;
}

function isHeld(resource: Resource, object: Parts): boolean {
  if ((object.metadata.finalizers ?? []).length > 0) return true;
  return resource.kind === "Namespace" && (object.spec?.finalizers ?? []).length > 0;
}

/** A status write changes status, and of the metadata labels, annotations and finalizers; a main write everything but status, where there is such a split. */
function mergeParts(stored: KubeObject, wanted: KubeObject, subresource: string | undefined): KubeObject {
  const was = stored as Parts;
  const wish = wanted as Parts;
  if (subresource === "status") {
    const { labels, annotations, finalizers } = wish.metadata;
    const metadata = { ...was.metadata, labels, annotations, finalizers };
    return { ...was, metadata, ...("status" in wish ? { status: wish.status } : {}) };
  }
  if (subresource === "finalize") return { ...was, ...{ spec: wish.spec } };
  return "status" in was ? { ...wish, ...{ status: was.status } } : wish;
}

function clean<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
