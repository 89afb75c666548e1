import type { KubeObject, ObjectRef, Resource, WatchEvent } from "./object.ts";

export type PatchType = "json" | "merge" | "strategic" | "apply";
export type Subresource = "status" | "scale" | "binding" | "finalize" | "eviction" | "token" | "approval";

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface WriteOptions {
  readonly subresource?: Subresource;
  readonly fieldManager?: string;
}

export interface PatchOptions extends WriteOptions {
  readonly type: PatchType;
  /** With `apply` only: take fields from other managers. */
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Foreground" | "Background" | "Orphan";
  /** Delete only this very object, not a successor of the same name. */
  readonly uid?: string;
  /** Delete only this very state of it. */
  readonly resourceVersion?: string;
}

/** A resource as discovery lists it, at the group's preferred version. */
export interface ServedResource extends Resource {
  readonly verbs: readonly string[];
}

/** What `/scale` shows of an object. */
export interface ScaleView extends KubeObject {
  readonly spec?: { readonly replicas?: number };
}

export interface List<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/** Any Kubernetes API: ours, or the one of a cluster that exists. Every call rejects with `ApiFault`. */
export interface KubeClient {
  get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): Promise<T>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<List<T>>;
  /** Events after `resourceVersion`. Ends when the server ends the stream or the signal aborts; throws `ApiFault` "Expired" on 410. */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & { resourceVersion: string; signal: AbortSignal },
  ): AsyncIterable<WatchEvent<T>>;
  /** Creates an object (or, with a subresource, posts to it: `ref` is then the parent's name). */
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  replace<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: unknown,
    options: PatchOptions,
  ): Promise<T>;
  /** Absent is success. */
  delete<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  /** Deletes every object of the namespace. */
  deleteAll(resource: Resource, options: { readonly namespace: string }): Promise<void>;
  /** The replicas of anything that can be scaled: GET NAME/scale. */
  scale(resource: Resource, ref: ObjectRef): Promise<ScaleView>;
  /** Binds a pod to a node: POST pods/NAME/binding. */
  bind(pod: ObjectRef & { uid: string }, nodeName: string): Promise<void>;
  /** Everything the server serves, subresources left out. Rejects when any group does not answer: a list with holes
   *  would pass for absence. */
  resources(): Promise<readonly ServedResource[]>;
}
