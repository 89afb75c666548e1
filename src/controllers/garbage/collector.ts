import { asError } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { ServedResource } from "#kube/client";
import type { EventRecorder } from "#kube/event-recorder";
import type { OwnerReference } from "#kube/generated/types";
import type { KubeObject, ObjectRef } from "#kube/object";
import { isDeleting } from "#kube/owner";
import { CUSTOM_RESOURCE_DEFINITIONS } from "#kube/resources";
import { ticks } from "#life/clock";
import type { WorkQueue } from "#life/work-queue";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { FOREGROUND, type Item, isForeground, isOrphaning, ORPHAN, OwnerGraph, ownersOf } from "./graph.ts";
import { Monitors, type Sighting } from "./monitors.ts";
import { judge, type OwnerState } from "./verdict.ts";

const REDISCOVER_MS = 30_000;
const RETRY_MS = 1_000;
const MAX_ABSENT = 500;

/** Deletes what nobody owns any more, and lets owners go once their dependents are gone or released. */
export function runGarbageCollector(context: ControllerContext): Promise<void> {
  return new GarbageCollector(context).run();
}

class GarbageCollector {
  readonly #context: ControllerContext;
  readonly #events: EventRecorder;
  readonly #graph = new OwnerGraph();
  readonly #monitors: Monitors;
  readonly #queue: WorkQueue<string>;
  /** Owners the API said do not exist. A uid never comes back, so this cannot go stale. */
  readonly #absent = new Set<string>();
  /** Objects seen before every copy was complete. */
  readonly #early = new Set<string>();
  #isReady = false;
  /** Aborted when a kind came or went. */
  #kindsChanged = new AbortController();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#events = recorderFor(context, "garbage-collector-controller");
    this.#monitors = new Monitors(context, (sighting) => this.#sighted(sighting));
    this.#queue = openQueue(context, "garbage-collector", { workers: 10, work: (uid) => this.#sync(uid) });
  }

  /** Ends when aborted. */
  async run(): Promise<void> {
    const { clock, signal } = this.#context;
    while (!signal.aborted) {
      await this.#refresh();
      // One tick: the wait depends on how the last look went, and on whether kinds came or went meanwhile.
      const woken = AbortSignal.any([signal, this.#kindsChanged.signal]);
      const isOld = woken.aborted && !signal.aborted;
      for await (const _ of ticks(clock, this.#isReady && !isOld ? REDISCOVER_MS : RETRY_MS, {
        signal: isOld ? signal : woken,
      }))
        break;
    }
  }

  async #refresh(): Promise<void> {
    const { log, signal } = this.#context;
    this.#kindsChanged = new AbortController();
    try {
      await this.#monitors.refresh();
      const isComplete = await this.#monitors.whenSynced();
      if (!isComplete) log.warn("some resources cannot be watched for their owners; will try again");
      // Owners are looked up one by one where the copies do not show them: what is missing here delays, and deletes nothing.
      this.#isReady = true;
      for (const uid of this.#early) this.#queue.add(uid);
      this.#early.clear();
    } catch (error) {
      if (!signal.aborted)
        log.warn("resources were not discovered; will try again", { error: asError(error) });
    }
  }

  #sighted({ type, resource, object }: Sighting): void {
    const { uid } = object.metadata;
    if (resource.plural === CUSTOM_RESOURCE_DEFINITIONS.plural) this.#kindsChanged.abort();
    if (uid === undefined) return;
    if (type === "lost") {
      this.#graph.remove(uid);
      for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(dependent.uid);
      return;
    }
    if (type === "gone") {
      this.#graph.remove(uid);
      this.#noteAbsent(identity(resource, object.metadata));
      for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(dependent.uid);
      for (const owner of ownersOf(object)) if (this.#graph.get(owner.uid)) this.#ownerMayGo(owner.uid);
      return;
    }
    const before = this.#graph.get(uid)?.object;
    this.#graph.put({ uid, resource, object });
    const hasOpenOwner = ownersOf(object).some(
      (owner) => !isMeant(this.#graph.get(owner.uid), owner, object),
    );
    if (hasOpenOwner || isForeground(object) || isOrphaning(object)) this.#queue.add(uid);
    if (isForeground(object) && !(before && isForeground(before)))
      for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(dependent.uid);
    // A dependent that no longer blocks may be what its owner waits for.
    for (const owner of before ? ownersOf(before) : []) this.#ownerMayGo(owner.uid);
  }

  #ownerMayGo(uid: string): void {
    const owner = this.#graph.get(uid);
    if (owner !== undefined && (isForeground(owner.object) || isOrphaning(owner.object)))
      this.#queue.add(uid);
  }

  async #sync(uid: string): Promise<number | undefined> {
    if (!this.#isReady) {
      this.#early.add(uid);
      return undefined;
    }
    const item = this.#graph.get(uid);
    if (item === undefined) return undefined;
    if (isOrphaning(item.object)) return this.#orphanDependents(item);
    if (isForeground(item.object)) return this.#finishForeground(item);
    if (isDeleting(item.object) || ownersOf(item.object).length === 0) return undefined;
    const live = await this.#live(item);
    if (live === undefined) return undefined;
    const states = new Map<string, OwnerState>();
    for (const owner of ownersOf(live)) {
      const state = await this.#stateOf(item, live, owner);
      // Nothing is decided on a guess.
      if (state === undefined) return REDISCOVER_MS;
      states.set(owner.uid, state);
    }
    const hasDependents = this.#graph.dependentsOf(uid).length > 0;
    const verdict = judge(live, ({ uid: owner }) => states.get(owner) ?? "solid", hasDependents);
    if (verdict.kind === "trim") await this.#setOwners(item, live, verdict.owners);
    if (verdict.kind === "delete") await this.#delete(item, live, verdict.policy);
    return undefined;
  }

  /** The object as the API has it now; undefined when it is gone or another took its name. */
  async #live({ uid, resource, object }: Item): Promise<KubeObject | undefined> {
    try {
      const live = await this.#context.client.get(resource, object.metadata);
      return live.metadata.uid === uid ? live : undefined;
    } catch (error) {
      if (isApiFault(error, "NotFound")) return undefined;
      throw error;
    }
  }

  /** The copies are believed when they show an owner, never when they do not. Undefined when nobody can tell. */
  async #stateOf(item: Item, dependent: KubeObject, owner: OwnerReference): Promise<OwnerState | undefined> {
    const found = this.#graph.get(owner.uid);
    const { namespace } = dependent.metadata;
    const resource = this.#monitors.find(owner.apiVersion, owner.kind);
    if (resource?.namespaced && !item.resource.namespaced) {
      this.#complain(dependent, owner);
      return "solid";
    }
    if (found && isMeant(found, owner, dependent)) return isForeground(found.object) ? "waiting" : "solid";
    if (found?.resource.namespaced && found.object.metadata.namespace !== namespace) {
      this.#complain(dependent, owner);
      return "absent";
    }
    if (resource === undefined) return undefined;
    const ref = { name: owner.name, ...(resource.namespaced ? { namespace } : {}) };
    const asked = identity(resource, { ...ref, uid: owner.uid });
    if (this.#absent.has(asked)) return "absent";
    try {
      const live = await this.#context.client.get(resource, ref);
      if (live.metadata.uid === owner.uid) return isForeground(live) ? "waiting" : "solid";
    } catch (error) {
      if (!isApiFault(error, "NotFound")) throw error;
    }
    this.#noteAbsent(asked);
    return "absent";
  }

  async #finishForeground(item: Item): Promise<undefined> {
    const blockers = this.#graph.blockersOf(item.uid);
    if (blockers.length === 0) return this.#dropFinalizer(item, FOREGROUND);
    for (const blocker of blockers) if (!isDeleting(blocker.object)) this.#queue.add(blocker.uid);
    return undefined;
  }

  async #orphanDependents(item: Item): Promise<undefined> {
    for (const { uid } of this.#graph.dependentsOf(item.uid)) {
      const dependent = this.#graph.get(uid);
      const live = dependent && (await this.#live(dependent));
      if (!dependent || !live) continue;
      const others = ownersOf(live).filter((owner) => owner.uid !== item.uid);
      await this.#setOwners(dependent, live, others);
    }
    await this.#dropFinalizer(item, ORPHAN);
  }

  async #setOwners(
    item: Item,
    live: KubeObject,
    owners: readonly OwnerReference[],
  ): Promise<KubeObject | undefined> {
    const { uid, resourceVersion } = live.metadata;
    const ownerReferences = owners.length === 0 ? null : owners;
    return this.#patch(item, { metadata: { uid, resourceVersion, ownerReferences } });
  }

  async #dropFinalizer(item: Item, finalizer: string): Promise<undefined> {
    const live = await this.#live(item);
    if (live === undefined) return;
    const { uid, resourceVersion } = live.metadata;
    const rest = (live.metadata.finalizers ?? []).filter((other) => other !== finalizer);
    if (rest.length === live.metadata.finalizers?.length) return;
    const finalizers = rest.length === 0 ? null : rest;
    await this.#patch(item, { metadata: { uid, resourceVersion, finalizers } });
  }

  async #patch({ resource, object }: Item, patch: unknown): Promise<KubeObject | undefined> {
    try {
      return await this.#context.client.patch(resource, object.metadata, patch, { type: "merge" });
    } catch (error) {
      if (isApiFault(error, "NotFound")) return undefined;
      throw error;
    }
  }

  /** Dependents that block a dependent which itself must go in the foreground would wait for each other for ever. */
  async #delete(
    item: Item,
    live: KubeObject,
    propagationPolicy: "Foreground" | "Background" | "Orphan",
  ): Promise<void> {
    const judged = propagationPolicy === "Foreground" ? await this.#breakCircle(item, live) : live;
    if (judged === undefined) return;
    const { resource, uid } = item;
    // Only in the very state that was judged: an owner may have been added since.
    const { resourceVersion = "" } = judged.metadata;
    await this.#context.client.delete(resource, live.metadata, { propagationPolicy, uid, resourceVersion });
    this.#context.log.debug("deleted what nobody owns", { kind: resource.kind, name: live.metadata.name });
  }

  /** The object as it is then; undefined when it is gone. */
  async #breakCircle(item: Item, live: KubeObject): Promise<KubeObject | undefined> {
    const isCircle = this.#graph.dependentsOf(item.uid).some(({ object }) => isForeground(object));
    if (!isCircle) return live;
    const owners = ownersOf(live).map((owner) => ({ ...owner, blockOwnerDeletion: false }));
    return this.#setOwners(item, live, owners);
  }

  #complain(dependent: KubeObject, owner: OwnerReference): void {
    const reference = `[${owner.apiVersion}/${owner.kind}, namespace: ${dependent.metadata.namespace ?? ""}, name: ${owner.name}, uid: ${owner.uid}]`;
    const message = `ownerRef ${reference} does not exist in namespace ${JSON.stringify(dependent.metadata.namespace ?? "")}`;
    this.#events.record(dependent, { type: "Warning", reason: "OwnerRefInvalidNamespace", message });
  }

  #noteAbsent(who: string): void {
    this.#absent.add(who);
    for (const oldest of this.#absent) {
      if (this.#absent.size <= MAX_ABSENT) return;
      this.#absent.delete(oldest);
    }
  }
}

/** Whether that is the object the reference is about: a uid alone could have been written beside another name, kind or namespace. */
function isMeant(item: Item | undefined, owner: OwnerReference, dependent: KubeObject): boolean {
  if (item === undefined) return false;
  const { resource, object } = item;
  if (resource.kind !== owner.kind || object.metadata.name !== owner.name) return false;
  return !resource.namespaced || object.metadata.namespace === dependent.metadata.namespace;
}

/** Who exactly a reference means: a uid alone could be claimed for another kind, or in another namespace. */
function identity(
  resource: ServedResource,
  metadata: ObjectRef & { readonly uid?: string | undefined },
): string {
  return [resource.group, resource.kind, metadata.namespace ?? "", metadata.name, metadata.uid ?? ""].join(
    "|",
  );
}
