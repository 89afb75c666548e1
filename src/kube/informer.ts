import type { NamespacedName } from "#addr/name";
import type { KubeObject } from "./object.ts";

export type Change<T> =
  | { readonly type: "added"; readonly key: NamespacedName; readonly object: T }
  | { readonly type: "changed"; readonly key: NamespacedName; readonly object: T; readonly before: T }
  | { readonly type: "removed"; readonly key: NamespacedName; readonly before: T };

/** A local, live copy of one resource (or of what its selectors match). Reads never wait; nothing is mutated in place. */
export interface Informer<T extends KubeObject> {
  /** Resolves after the first complete list. */
  readonly synced: Promise<void>;
  readonly isSynced: boolean;
  get(key: NamespacedName | string): T | undefined;
  list(): readonly T[];
  /** Objects filed under `value` by the index function of that name given at opening. */
  byIndex(index: string, value: string): readonly T[];
  /** Hears every change from now on (existing objects are replayed as "added"). Returns the way to stop hearing. */
  subscribe(listener: (change: Change<T>) => void): () => void;
}
