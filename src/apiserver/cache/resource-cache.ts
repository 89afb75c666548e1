import type { KubeObject } from "#kube/object";
import type { JsonObject } from "../json.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { type CacheEvent, History } from "./history.ts";
import { SortedKeys } from "./sorted-keys.ts";
import { Format, type Stored } from "./stored.ts";

export interface Subscriber {
  /** Called synchronously, in revision order; must not throw and must not wait. */
  deliver(event: CacheEvent): void;
}

const HISTORY_LIMIT = 8192;
/** Some ten thousand pods' states, or two minutes of a hundred updates a second. */
const HISTORY_CHARS = 32 * 1024 * 1024;

/** All objects of one resource in memory, in key order, with their recent history and whoever watches. */
export class ResourceCache {
  readonly spec: KindSpec;
  readonly format: Format;
  /** `/registry/<group>/<plural>/`, before each key in the store. */
  readonly prefix: string;
  readonly #objects: Map<string, Stored>;
  readonly #keys: SortedKeys;
  readonly #history: History;
  readonly #subscribers: Set<Subscriber>;

  constructor(spec: KindSpec, from: { readonly forgotten: number } | ResourceCache) {
    this.spec = spec;
    this.format = new Format(spec);
    this.prefix = storePrefix(spec);
    const isSuccessor = from instanceof ResourceCache;
    this.#objects = isSuccessor ? from.#objects : new Map();
    this.#keys = isSuccessor ? from.#keys : new SortedKeys();
    this.#subscribers = isSuccessor ? from.#subscribers : new Set();
    this.#history = isSuccessor
      ? from.#history
      : new History({ limit: HISTORY_LIMIT, limitChars: HISTORY_CHARS, forgotten: from.forgotten });
  }

  /** The same objects, history and watchers under another spec: what is written from now on is stored in its version. */
  successor(spec: KindSpec): ResourceCache {
    return new ResourceCache(spec, this);
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): Stored | undefined {
    return this.#objects.get(key);
  }

  /** The states whose keys begin with `prefix`, in key order, from key `from` on. A copy of references: later writes do not show in it. */
  list(prefix: string, from = ""): Stored[] {
    const out: Stored[] = [];
    for (const key of this.#keys.range(prefix, from)) {
      const stored = this.#objects.get(key);
      if (stored !== undefined) out.push(stored);
    }
    return out;
  }

  /** As `list`, but as things stood at `revision`; undefined when that is forgotten. */
  listAt(revision: number, prefix: string, from = ""): Stored[] | undefined {
    if (revision < this.#history.forgotten) return undefined;
    const undone = new Map<string, Stored | undefined>();
    for (const event of this.#history.after(revision).toReversed())
      if (event.key.startsWith(prefix) && event.key >= from) undone.set(event.key, event.before);
    if (undone.size === 0) return this.list(prefix, from);
    const kept = this.list(prefix, from).filter(({ key }) => !undone.has(key));
    const restored = [...undone.values()].filter((stored) => stored !== undefined);
    return [...kept, ...restored].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Events after `revision`, or undefined when some of them are forgotten. */
  eventsAfter(revision: number): readonly CacheEvent[] | undefined {
    return revision < this.#history.forgotten ? undefined : this.#history.after(revision);
  }

  /** The oldest revision that a watch may still start from. */
  get oldest(): number {
    return this.#history.forgotten;
  }

  subscribe(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  /** Takes one committed change in; `object` is what the value was written from, where that is at hand. */
  apply(key: string, revision: number, value: string | undefined, object?: JsonObject): void {
    const before = this.#objects.get(key);
    const after = value === undefined ? undefined : this.format.decode(key, revision, value);
    if (object !== undefined) after?.adopt(object);
    if (after === undefined) {
      this.#objects.delete(key);
      this.#keys.delete(key);
    } else {
      this.#objects.set(key, after);
      if (before === undefined) this.#keys.add(key);
    }
    if (before === undefined && after === undefined) return;
    const event: CacheEvent = { revision, key, before, after };
    this.#history.push(event);
    for (const subscriber of this.#subscribers) subscriber.deliver(event);
  }

  forget(revision: number): void {
    this.#history.forget(revision);
  }

  /** The objects themselves, for those who ask from inside. */
  objects(namespace?: string): readonly KubeObject[] {
    return this.list(namespace === undefined ? "" : `${namespace}/`).map(({ object }) => object);
  }
}

export function storePrefix({ resource }: KindSpec): string {
  return `/registry/${resource.group === "" ? "core" : resource.group}/${resource.plural}/`;
}

export function objectKey(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
