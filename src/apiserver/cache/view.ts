import { setImmediate as nextTurn } from "node:timers/promises";
import type { JsonObject } from "../json.ts";
import type { Conversion, KindSpec } from "../kinds/kind.ts";
import type { CacheEvent } from "./history.ts";
import type { ResourceCache } from "./resource-cache.ts";
import { Format, type Stored } from "./stored.ts";

/** How many states are converted before others get a turn. */
const STRIDE = 200;

/** One served version of a resource: what is stored, read and written in that version. Each stored state is converted once. Where the version is
 *  the stored one, states come through as they are. */
export class View {
  readonly spec: KindSpec;
  readonly cache: ResourceCache;
  readonly format: Format;
  readonly #conversion: Conversion | undefined;
  readonly #states = new WeakMap<Stored, Stored | Promise<Stored>>();
  readonly #events = new WeakMap<CacheEvent, CacheEvent | Promise<CacheEvent>>();
  readonly #leavers = new Set<() => void>();
  /** Who has taken over from this one. */
  #next: View | undefined;

  constructor(spec: KindSpec, cache: ResourceCache) {
    this.spec = spec;
    this.cache = cache;
    this.#conversion = spec.conversion;
    this.format = spec === cache.spec ? cache.format : new Format(spec);
  }

  /** Whether states come through as they are stored. */
  get isPlain(): boolean {
    return this.#conversion === undefined;
  }

  /** Whether a conversion may have to wait for somebody outside. */
  get waits(): boolean {
    return this.#conversion?.waits === true;
  }

  /** A stored state in this version. @throws {StatusFault} when a conversion fails */
  out(stored: Stored): Stored | Promise<Stored> {
    if (this.#conversion === undefined) return stored;
    const known = this.#states.get(stored);
    if (known !== undefined) return known;
    const made = this.#convert(stored, this.#conversion);
    this.#states.set(stored, made);
    if (made instanceof Promise)
      made.then(
        (state) => this.#states.set(stored, state),
        () => this.#states.delete(stored),
      );
    return made;
  }

  /** As `out`, for many. */
  async outAll(states: readonly Stored[]): Promise<readonly Stored[]> {
    if (this.isPlain) return states;
    const out: (Stored | Promise<Stored>)[] = [];
    for (const [i, stored] of states.entries()) {
      if (i > 0 && i % STRIDE === 0 && !this.waits) await nextTurn();
      out.push(this.out(stored));
    }
    return this.waits ? await Promise.all(out) : (out as Stored[]);
  }

  /** An event with its states in this version. */
  event(event: CacheEvent): CacheEvent | Promise<CacheEvent> {
    if (this.isPlain) return event;
    const known = this.#events.get(event);
    if (known !== undefined) return known;
    const before = event.before && this.out(event.before);
    const after = event.after && this.out(event.after);
    const made =
      before instanceof Promise || after instanceof Promise
        ? Promise.all([before, after]).then(([was, is]) => ({ ...event, before: was, after: is }))
        : { ...event, before, after };
    this.#events.set(event, made);
    if (made instanceof Promise) made.catch(() => this.#events.delete(event));
    return made;
  }

  /** Whether a state is stored otherwise than it would be now: in an older version, or with what the schema no longer has. */
  isStale(stored: Stored, shown: Stored): boolean {
    if (this.isPlain) return false;
    const isStoredVersion = this.spec.resource.version === this.cache.spec.resource.version;
    return !stored.text.startsWith(this.cache.format.head) || (isStoredVersion && shown !== stored);
  }

  /** The text to store for an object of this version. @throws {StatusFault} when a conversion fails */
  in(draft: JsonObject): string | Promise<string> {
    if (this.#conversion === undefined) return this.cache.format.encode(draft);
    const stored: unknown = this.#conversion.toStored(structuredClone(draft));
    return stored instanceof Promise
      ? stored.then((object: JsonObject) => this.cache.format.encode(object))
      : this.cache.format.encode(stored as JsonObject);
  }

  /** Calls `leave` when this view is no longer what is served: the kind is gone, or its schema is another. */
  whenRetired(leave: () => void): () => void {
    this.#leavers.add(leave);
    return () => this.#forget(leave);
  }

  /** `next` takes over whoever watches, where it shows objects as this one did. */
  retire(next?: View): void {
    const leavers = [...this.#leavers];
    if (next === undefined) for (const leave of leavers) leave();
    else for (const leave of leavers) next.#leavers.add(leave);
    this.#next = next;
  }

  #forget(leave: () => void): void {
    this.#leavers.delete(leave);
    if (this.#next !== undefined) this.#next.#forget(leave);
  }

  #convert(stored: Stored, conversion: Conversion): Stored | Promise<Stored> {
    const made: unknown = conversion.fromStored(stored.draft());
    const read = (object: JsonObject) => {
      const state = this.format.decode(stored.key, stored.revision, this.format.encode(object));
      return state.text === stored.text ? stored : state;
    };
    return made instanceof Promise ? made.then(read) : read(made as JsonObject);
  }
}
