import type { NamespacedName } from "#addr/name";
import type { Change } from "./informer.ts";
import { type KubeObject, keyOf } from "./object.ts";

type IndexFunctions<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

/** Objects by key, filed under indexes, with listeners that hear every difference once. */
export class ObjectCache<T extends KubeObject> {
  readonly #indexers: ReadonlyMap<string, (object: T) => readonly string[]>;
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string, Map<string, Map<string, T>>>();
  readonly #listeners = new Set<(change: Change<T>) => void>();
  #listed: readonly T[] | undefined;

  constructor(indexers: IndexFunctions<T>) {
    this.#indexers = new Map(Object.entries(indexers));
    for (const name of this.#indexers.keys()) this.#indexes.set(name, new Map());
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    this.#listed ??= [...this.#objects.values()];
    return this.#listed;
  }

  byIndex(index: string, value: string): readonly T[] {
    const values = this.#indexes.get(index);
    if (values === undefined) throw new Error(`broken invariant: no index ${index}`);
    return [...(values.get(value)?.values() ?? [])];
  }

  subscribe(listener: (change: Change<T>) => void): () => void {
    for (const object of this.list()) listener({ type: "added", key: keyOf(object), object });
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  put(object: T): void {
    for (const change of this.#store(object)) this.#tell(change);
  }

  remove(object: T): void {
    this.#tell(this.#drop(keyOf(object)));
  }

  /** Takes a complete list: the whole of it is in place before any listener hears of it. `onReady` runs in between. */
  replaceAll(items: readonly T[], onReady: () => void): void {
    const wanted = new Set(items.map((item): string => keyOf(item)));
    const gone = [...this.#objects.values()].map(keyOf).filter((key) => !wanted.has(key));
    const changes = [...gone.map((key) => this.#drop(key)), ...items.flatMap((item) => this.#store(item))];
    onReady();
    for (const change of changes) this.#tell(change);
  }

  /** A successor under an old name is another object: whoever counts deletions hears one. */
  #store(object: T): Change<T>[] {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    if (before !== undefined && before.metadata.resourceVersion === object.metadata.resourceVersion)
      return [];
    if (before !== undefined) this.#unfile(key, before);
    this.#objects.set(key, object);
    this.#file(key, object);
    this.#listed = undefined;
    if (before === undefined) return [{ type: "added", key, object }];
    if (before.metadata.uid === object.metadata.uid) return [{ type: "changed", key, object, before }];
    return [
      { type: "removed", key, before },
      { type: "added", key, object },
    ];
  }

  #drop(key: NamespacedName): Change<T> | undefined {
    const before = this.#objects.get(key);
    if (before === undefined) return undefined;
    this.#unfile(key, before);
    this.#objects.delete(key);
    this.#listed = undefined;
    return { type: "removed", key, before };
  }

  #tell(change: Change<T> | undefined): void {
    if (change !== undefined) for (const listener of this.#listeners) listener(change);
  }

  #file(key: string, object: T): void {
    for (const [name, indexer] of this.#indexers) {
      const values = this.#indexes.get(name);
      for (const value of indexer(object)) {
        const bucket = values?.get(value);
        if (bucket) bucket.set(key, object);
        else values?.set(value, new Map([[key, object]]));
      }
    }
  }

  #unfile(key: string, object: T): void {
    for (const [name, indexer] of this.#indexers) {
      const values = this.#indexes.get(name);
      for (const value of indexer(object)) {
        const bucket = values?.get(value);
        bucket?.delete(key);
        if (bucket?.size === 0) values?.delete(value);
      }
    }
  }
}
