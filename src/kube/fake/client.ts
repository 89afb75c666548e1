import { type Clock, systemClock } from "#life/clock";
import { ApiFault, type ApiReason, describeTarget } from "../api-fault.ts";
import type {
  DeleteOptions,
  KubeClient,
  List,
  ListOptions,
  PatchOptions,
  ScaleView,
  ServedResource,
  WriteOptions,
} from "../client.ts";
import {
  apiVersionOf,
  type KubeObject,
  keyOf,
  type ObjectRef,
  type Resource,
  type WatchEvent,
} from "../object.ts";
import * as known from "../resources.ts";
import { PODS } from "../resources.ts";
import { jsonPatch, mergePatch, strategicPatch } from "./patch.ts";
import { FakeStore } from "./store.ts";
import { admitted, deletionOf, updated } from "./strategy.ts";

export interface FakeCall {
  readonly verb: "get" | "list" | "watch" | "create" | "replace" | "patch" | "delete" | "bind";
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string;
}

export interface FakeClient extends KubeClient {
  /** Consulted before each call: a reason refuses it, undefined lets it through. */
  intercept(hook: (call: FakeCall) => ApiReason | undefined): void;
  /** Every open watch ends, as when the server restarts. */
  dropWatches(): void;
  /** Watches from older revisions get "Expired" and must list again. */
  compact(): void;
  /** Every call so far that changes something, oldest first: `create pods default/web`. */
  readonly writes: readonly string[];
}

/** An API in memory: revisions, conflicts, generations, finalizers, graceful pod deletion, selectors and watches behave as
 *  kube-apiserver's do; defaulting, validation and admission do not exist. Stored objects are frozen. */
export function openFakeClient(options: { clock?: Clock } = {}): FakeClient {
  return new Fake(options.clock ?? systemClock);
}

class Fake implements FakeClient {
  readonly writes: string[] = [];
  readonly #clock: Clock;
  readonly #store = new FakeStore();
  #hook: (call: FakeCall) => ApiReason | undefined = () => undefined;
  #watching = new AbortController();
  #names = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  intercept(hook: (call: FakeCall) => ApiReason | undefined): void {
    this.#hook = hook;
  }

  dropWatches(): void {
    this.#watching.abort();
    this.#watching = new AbortController();
  }

  compact(): void {
    this.#store.compact();
  }

  async get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): Promise<T> {
    await this.#enter("get", resource, ref);
    return this.#stored(resource, ref);
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<List<T>> {
    await this.#enter("list", resource, { namespace: options.namespace, name: "" });
    const items = this.#store.list(resource, options) as readonly T[];
    return { items, resourceVersion: String(this.#store.revision) };
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & { resourceVersion: string; signal: AbortSignal },
  ): AsyncGenerator<WatchEvent<T>> {
    await this.#enter("watch", resource, { namespace: options.namespace, name: "" });
    const events = this.#store.watch(resource, options, this.#watching.signal);
    for await (const event of events) yield event as WatchEvent<T>;
  }

  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { name, generateName, namespace } = object.metadata;
    if (options.subresource !== undefined) return this.#post(resource, object, options.subresource);
    const named = name || `${generateName ?? ""}${(this.#names++).toString(36).padStart(5, "x")}`;
    await this.#enter("create", resource, { namespace, name: named });
    const draft = admitted(resource, object, { name: named, now: this.#clock.now() });
    if (this.#store.get(resource, keyOf(draft)) !== undefined)
      throw refused("AlreadyExists", 409, resource, draft.metadata, "already exists");
    return this.#store.put(resource, draft) as T;
  }

  async replace<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    await this.#enter("replace", resource, object.metadata);
    return this.#update(resource, this.#stored(resource, object.metadata), object, options);
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: unknown,
    options: PatchOptions,
  ): Promise<T> {
    await this.#enter("patch", resource, ref);
    if (options.type === "apply" && this.#store.get(resource, keyOf({ metadata: ref })) === undefined)
      return this.create(resource, mergePatch({ metadata: ref }, patch) as T);
    const stored = this.#stored(resource, ref);
    const change = { json: jsonPatch, strategic: strategicPatch, merge: mergePatch, apply: mergePatch };
    return this.#update(resource, stored, change[options.type](stored, patch) as T, options, true);
  }

  async delete<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    await this.#enter("delete", resource, ref);
    const stored = this.#store.get(resource, keyOf({ metadata: ref }));
    if (stored === undefined) return;
    if (options.uid !== undefined && options.uid !== stored.metadata.uid)
      throw refused("Conflict", 409, resource, ref, "Precondition failed: UID in precondition");
    if (options.resourceVersion !== undefined && options.resourceVersion !== stored.metadata.resourceVersion)
      throw refused("Conflict", 409, resource, ref, "Precondition failed: ResourceVersion in precondition");
    const left = deletionOf(resource, stored, options, this.#clock.now());
    if (left === undefined) this.#store.remove(resource, stored);
    else if (left !== stored) this.#store.put(resource, left);
  }

  async deleteAll(resource: Resource, { namespace }: { readonly namespace: string }): Promise<void> {
    for (const { metadata } of (await this.list(resource, { namespace })).items)
      await this.delete(resource, metadata, { propagationPolicy: "Background" });
  }

  async scale(resource: Resource, ref: ObjectRef): Promise<ScaleView> {
    await this.#enter("get", resource, ref);
    const { metadata, spec }: ScaleView = this.#stored(resource, ref);
    return { metadata, spec: { replicas: spec?.replicas ?? 0 } };
  }

  async bind(pod: ObjectRef & { uid: string }, nodeName: string): Promise<void> {
    await this.#enter("bind", PODS, pod);
    const stored = this.#stored(PODS, pod);
    if (stored.metadata.uid !== pod.uid) throw refused("Conflict", 409, PODS, pod, "another UID");
    if (stored.spec?.nodeName) throw refused("Conflict", 409, PODS, pod, "is already assigned to a node");
    if (stored.metadata.deletionTimestamp) throw refused("Conflict", 409, PODS, pod, "is being deleted");
    const lastTransitionTime = new Date(this.#clock.now()).toISOString();
    const condition = { type: "PodScheduled", status: "True", lastTransitionTime };
    const patch = { spec: { nodeName }, status: { conditions: [condition] } };
    this.#store.put(PODS, strategicPatch(stored, patch) as KubeObject);
  }

  async resources(): Promise<readonly ServedResource[]> {
    const verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
    return Object.values(known)
      .filter((resource) => resource.kind !== "Binding")
      .map((resource) => ({ ...resource, verbs }));
  }

  async #post<T extends KubeObject>(resource: Resource<T>, object: T, subresource: string): Promise<T> {
    if (subresource === "eviction") {
      await this.delete(resource, object.metadata);
      return object;
    }
    throw new Error(`the fake API has no ${resource.plural}/${subresource} to post to`);
  }

  #update<T extends KubeObject>(
    resource: Resource<T>,
    stored: T,
    wanted: T,
    options: WriteOptions,
    isPatch = false,
  ): T {
    const { resourceVersion, uid } = wanted.metadata;
    if (resourceVersion !== undefined && resourceVersion !== stored.metadata.resourceVersion)
      throw refused("Conflict", 409, resource, stored.metadata, "the object has been modified");
    if (uid !== undefined && uid !== stored.metadata.uid)
      throw isPatch
        ? refused("Invalid", 422, resource, stored.metadata, "metadata.uid: field is immutable")
        : refused("Conflict", 409, resource, stored.metadata, "Precondition failed: UID in precondition");
    const next = updated(resource, stored, wanted, options.subresource);
    if (next === undefined) return this.#store.remove(resource, wanted) as T;
    return next === stored ? stored : (this.#store.put(resource, next) as T);
  }

  #stored<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): T {
    const stored = this.#store.get(resource, keyOf({ metadata: ref }));
    if (stored === undefined) throw refused("NotFound", 404, resource, ref, "not found");
    return stored as T;
  }

  async #enter(verb: FakeCall["verb"], resource: Resource, ref: ObjectRef): Promise<void> {
    await Promise.resolve();
    const call = { verb, resource, namespace: ref.namespace, name: ref.name };
    if (!["get", "list", "watch"].includes(verb))
      this.writes.push(`${verb} ${resource.plural} ${keyOf({ metadata: ref })}`);
    const reason = this.#hook(call);
    if (reason === "Unreachable") throw new ApiFault(reason, `Cannot ${verb} ${resource.plural}: away`);
    if (reason !== undefined) throw refused(reason, 500, resource, ref, `refused: ${reason}`);
  }
}

function refused(code: ApiReason, status: number, resource: Resource, ref: ObjectRef, why: string): ApiFault {
  return new ApiFault(code, `${describeTarget(resource, ref)} ${why} (${apiVersionOf(resource)})`, {
    status,
  });
}
