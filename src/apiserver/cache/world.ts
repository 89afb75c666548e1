import type { KubeObject, Resource } from "#kube/object";
import type { Change, Store, WriteResult } from "#store/store";
import type { KindSpec } from "../kinds/kind.ts";
import { ResourceCache } from "./resource-cache.ts";

/** Every resource's cache, kept in step with the store: whoever was told that a write is done finds it here. */
export class World {
  readonly #store: Store;
  readonly #byPrefix = new Map<string, ResourceCache>();
  readonly #byName = new Map<string, ResourceCache>();
  readonly caches: readonly ResourceCache[];
  #revision: number;
  #waiting: { readonly revision: number; readonly wake: () => void }[] = [];

  constructor(store: Store, kinds: readonly KindSpec[]) {
    this.#store = store;
    const { loaded } = store;
    this.caches = kinds.map((spec) => new ResourceCache(spec, { forgotten: loaded.compacted }));
    for (const cache of this.caches) {
      const { group, plural } = cache.spec.resource;
      if (!this.#byPrefix.has(cache.prefix)) this.#byPrefix.set(cache.prefix, cache);
      this.#byName.set(`${group}/${plural}`, cache);
    }
    this.#revision = Math.max(1, loaded.revision);
    this.#take(loaded.changes);
    this.#revision = Math.max(this.#revision, loaded.revision);
    store.subscribe((changes) => this.#take(changes));
  }

  /** The newest revision of the store; everything up to it is in the caches. */
  get revision(): number {
    return this.#revision;
  }

  cacheOf(group: string, plural: string): ResourceCache | undefined {
    return this.#byName.get(`${group}/${plural}`);
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

  /** Writes one object's text (undefined deletes it) if it is still at `expected` (0: absent). */
  write(
    cache: ResourceCache,
    key: string,
    value: string | undefined,
    expected: number,
  ): Promise<WriteResult> {
    return this.#store.write({ key: cache.prefix + key, value, expected });
  }

  /** Resolves once everything up to `revision` is here; the caller bounds the wait. */
  reached(revision: number): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ revision, wake }));
  }

  /** Forgets history up to `revision`, here and in the store. */
  async compact(revision: number): Promise<void> {
    for (const cache of this.caches) cache.forget(revision);
    await this.#store.compact(revision);
  }

  #take(changes: readonly Change[]): void {
    for (const { key, revision, value } of changes) {
      const slash = key.indexOf("/", key.indexOf("/", "/registry/".length) + 1);
      this.#byPrefix.get(key.slice(0, slash + 1))?.apply(key.slice(slash + 1), revision, value);
      this.#revision = Math.max(this.#revision, revision);
    }
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ revision }) => revision <= this.#revision);
    this.#waiting = this.#waiting.filter(({ revision }) => revision > this.#revision);
    for (const { wake } of ready) wake();
  }
}
