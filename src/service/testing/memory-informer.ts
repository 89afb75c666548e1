import type { NamespacedName } from "#addr/name";
import type { Change, Informer } from "#kube/informer";
import { type KubeObject, keyOf } from "#kube/object";

/** An informer whose objects are put by hand. */
export class MemoryInformer<T extends KubeObject> implements Informer<T> {
  readonly #objects = new Map<NamespacedName, T>();
  readonly #listeners = new Set<(change: Change<T>) => void>();
  readonly #synced = Promise.withResolvers<void>();
  isSynced = false;

  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  sync(): void {
    this.isSynced = true;
    this.#synced.resolve();
  }

  put(object: T): void {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    this.#tell(before ? { type: "changed", key, object, before } : { type: "added", key, object });
  }

  remove(object: T): void {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    if (!this.#objects.delete(key) || !before) return;
    this.#tell({ type: "removed", key, before });
  }

  get(key: NamespacedName | string): T | undefined {
    return this.#objects.get(key as NamespacedName);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  byIndex(): readonly T[] {
    return [];
  }

  subscribe(listener: (change: Change<T>) => void): () => void {
    this.#listeners.add(listener);
    for (const [key, object] of this.#objects) listener({ type: "added", key, object });
    return () => this.#listeners.delete(listener);
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) listener(change);
  }
}
