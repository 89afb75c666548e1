import type { KubeObject, Resource } from "#kube/object";
import type { Change, Store, WriteResult } from "#store/store";
import type { JsonObject } from "../json.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { ResourceCache, storePrefix } from "./resource-cache.ts";
import { Unclaimed } from "./unclaimed.ts";
import { View } from "./view.ts";

/** One resource: the version it is stored in (which may not be served), and the versions it is served in. */
export interface Served {
  readonly stored: KindSpec;
  readonly versions: readonly KindSpec[];
  /** Whether objects look as they did in the versions served before: who watches them may then stay. */
  readonly looksTheSame?: boolean;
}

/** One object's next state, if it is still at `expected` (0: absent). */
export interface ObjectWrite {
  readonly key: string;
  /** Undefined: it is to be gone. */
  readonly value: string | undefined;
  readonly expected: number;
  readonly object?: JsonObject;
}

/** Every resource's cache, kept in step with the store: whoever was told that a write is done finds it here. Kinds come and go while it runs. */
export class World {
  readonly #store: Store;
  readonly #byPrefix = new Map<string, ResourceCache>();
  readonly #byName = new Map<string, ResourceCache>();
  readonly #views = new Map<string, View>();
  readonly #unclaimed: Unclaimed;
  readonly #whenServing = new Set<() => void>();
  /** Of writes on their way: what their texts were made from. */
  readonly #sources = new Map<string, { readonly value: string | undefined; readonly object: JsonObject }>();
  #caches: readonly ResourceCache[] = [];
  #kinds: readonly KindSpec[] = [];
  #revision: number;
  #waiting: { readonly revision: number; readonly wake: () => void }[] = [];

  /** `kinds` that say `conversion` are further versions of the one they are stored as. */
  constructor(store: Store, kinds: readonly KindSpec[]) {
    this.#store = store;
    const { loaded } = store;
    this.#unclaimed = new Unclaimed(loaded.compacted);
    this.#revision = Math.max(1, loaded.revision);
    for (const stored of kinds.filter(({ conversion }) => conversion === undefined)) {
      const views = kinds.filter(({ conversion }) => isSameName(conversion?.storedAs, stored.resource));
      this.#open({ stored, versions: [stored, ...views] });
    }
    // In the order given, which is the order that discovery shows.
    this.#kinds = kinds;
    for (const changes of store.replay()) this.#take(changes);
    this.#revision = Math.max(this.#revision, loaded.revision);
    for (const cache of this.#caches) settleAll(cache);
    store.subscribe((changes) => this.#take(changes));
  }

  /** The newest revision of the store; everything up to it is in the caches. */
  get revision(): number {
    return this.#revision;
  }

  /** One for each stored resource. */
  get caches(): readonly ResourceCache[] {
    return this.#caches;
  }

  /** Everything that is served: a kind for each version. A new list whenever it changes. */
  get kinds(): readonly KindSpec[] {
    return this.#kinds;
  }

  /** Serves a resource from now on, with all that the store holds of it; one that is served already changes its versions, and keeps its objects
   *  and their history. */
  add(served: Served): void {
    const prefix = storePrefix(served.stored);
    const before = this.#byPrefix.get(prefix);
    this.#open(served, before);
    if (before === undefined) {
      const cache = this.#byPrefix.get(prefix);
      if (cache !== undefined) {
        this.#claim(cache);
        settleAll(cache);
      }
    }
    this.#tell();
  }

  /** Serves a resource no longer. What the store still holds of it comes back with the next `add`. */
  remove(resource: Pick<Resource, "group" | "plural">): void {
    const cache = this.cacheOf(resource.group, resource.plural);
    if (cache === undefined) return;
    const changes = cache
      .list("")
      .map((stored) => ({
        key: cache.prefix + stored.key,
        revision: stored.revision,
        value: cache.format.encode(stored.draft()),
      }))
      .sort((a, b) => a.revision - b.revision);
    for (const view of this.#close(cache)) view.retire();
    this.#unclaimed.putBack(cache.prefix, { changes, forgotten: this.#revision });
    this.#tell();
  }

  /** Calls `listener` after each change of what is served. */
  whenServing(listener: () => void): void {
    this.#whenServing.add(listener);
  }

  /** The objects of a resource, whatever version they are asked for in. */
  cacheOf(group: string, plural: string): ResourceCache | undefined {
    return this.#byName.get(`${group}/${plural}`);
  }

  /** A resource in one of the versions it is served in. */
  viewOf({ group, version, plural }: Pick<Resource, "group" | "version" | "plural">): View | undefined {
    return this.#views.get(`${group}/${version}/${plural}`);
  }

  read<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
  ): T | undefined {
    const key = namespace === undefined ? name : `${namespace}/${name}`;
    // The cache of a resource holds that resource's type: the one place where the type parameter is taken on trust.
    return this.cacheOf(resource.group, resource.plural)?.get(key)?.object as T | undefined;
  }

  list<T extends KubeObject>(resource: Resource<T>, namespace?: string): readonly T[] {
    return (this.cacheOf(resource.group, resource.plural)?.objects(namespace) ?? []) as readonly T[];
  }

  /** Writes one object's text (undefined deletes it) if it is still at `expected` (0: absent). `object` is what the text was made from; nobody
   *  changes it afterwards. */
  async write(cache: ResourceCache, { key, value, expected, object }: ObjectWrite): Promise<WriteResult> {
    const path = cache.prefix + key;
    if (object === undefined) return await this.#store.write({ key: path, value, expected });
    const source = { value, object };
    this.#sources.set(path, source);
    try {
      return await this.#store.write({ key: path, value, expected });
    } finally {
      if (this.#sources.get(path) === source) this.#sources.delete(path);
    }
  }

  /** Resolves once everything up to `revision` is here; the caller bounds the wait. */
  reached(revision: number): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ revision, wake }));
  }

  /** Forgets history up to `revision`, here and in the store. */
  async compact(revision: number): Promise<void> {
    for (const cache of this.#caches) cache.forget(revision);
    this.#unclaimed.forget(revision);
    await this.#store.compact(revision);
  }

  #open({ stored, versions, looksTheSame }: Served, before?: ResourceCache): void {
    const retired = before === undefined ? [] : this.#close(before);
    const cache =
      before?.successor(stored) ?? new ResourceCache(stored, { forgotten: this.#store.loaded.compacted });
    const { group, plural } = stored.resource;
    this.#byPrefix.set(cache.prefix, cache);
    this.#byName.set(`${group}/${plural}`, cache);
    for (const spec of versions) this.#views.set(viewKey(spec), new View(spec, cache));
    this.#caches = [...this.#byPrefix.values()];
    this.#kinds = [...this.#kinds, ...versions];
    for (const view of retired) {
      const next = looksTheSame ? this.viewOf(view.spec.resource) : undefined;
      view.retire(next);
    }
  }

  #close(cache: ResourceCache): readonly View[] {
    const { group, plural } = cache.spec.resource;
    this.#byPrefix.delete(cache.prefix);
    this.#byName.delete(`${group}/${plural}`);
    this.#caches = [...this.#byPrefix.values()];
    const retired = [...this.#views].filter(([, view]) => view.cache === cache);
    for (const [key] of retired) this.#views.delete(key);
    this.#kinds = this.#kinds.filter((spec) => !retired.some(([, view]) => view.spec === spec));
    return retired.map(([, view]) => view);
  }

  #claim(cache: ResourceCache): void {
    const { changes, forgotten } = this.#unclaimed.claim(cache.prefix);
    cache.forget(forgotten);
    for (const { key, revision, value } of changes)
      cache.apply(key.slice(cache.prefix.length), revision, value);
  }

  #tell(): void {
    for (const listener of this.#whenServing) listener();
  }

  #sourceOf({ key, value }: Change): JsonObject | undefined {
    const source = this.#sources.get(key);
    return source?.value === value ? source?.object : undefined;
  }

  #take(changes: readonly Change[]): void {
    for (const change of changes) {
      const { key, revision, value } = change;
      const slash = key.indexOf("/", key.indexOf("/", "/registry/".length) + 1);
      const prefix = key.slice(0, slash + 1);
      const cache = this.#byPrefix.get(prefix);
      if (cache === undefined) this.#unclaimed.keep(prefix, change);
      else cache.apply(key.slice(slash + 1), revision, value, this.#sourceOf(change));
      this.#revision = Math.max(this.#revision, revision);
    }
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ revision }) => revision <= this.#revision);
    this.#waiting = this.#waiting.filter(({ revision }) => revision > this.#revision);
    for (const { wake } of ready) wake();
  }
}

function viewKey({ resource }: KindSpec): string {
  return `${resource.group}/${resource.version}/${resource.plural}`;
}

function isSameName(a: Resource | undefined, b: Resource): boolean {
  return a?.group === b.group && a.plural === b.plural;
}

function settleAll(cache: ResourceCache): void {
  if (cache.spec.settle === undefined) return;
  for (const object of cache.objects()) cache.spec.settle(object.metadata, object);
}
