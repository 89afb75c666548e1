import type { Stored } from "./stored.ts";

/** What happened to one object at one revision. */
export interface CacheEvent {
  readonly revision: number;
  readonly key: string;
  /** Undefined when the object was created. */
  readonly before: Stored | undefined;
  /** Undefined when it was deleted. */
  readonly after: Stored | undefined;
}

/** However large its objects are, a resource remembers as many events. */
const KEPT_EVENTS = 256;

/** The latest events of one resource, oldest first, bounded in number and in the length of the old states they hold. */
export class History {
  readonly #limit: number;
  readonly #limitChars: number;
  #events: CacheEvent[] = [];
  /** Of the states that only the history holds. */
  #chars = 0;
  #forgotten: number;

  constructor(options: { readonly limit: number; readonly limitChars: number; readonly forgotten: number }) {
    this.#limit = options.limit;
    this.#limitChars = options.limitChars;
    this.#forgotten = options.forgotten;
  }

  /** Events up to and including this revision may be missing. */
  get forgotten(): number {
    return this.#forgotten;
  }

  push(event: CacheEvent): void {
    if (event.revision <= this.#forgotten) return;
    this.#events.push(event);
    this.#chars += event.before?.length ?? 0;
    const { length } = this.#events;
    if (length >= this.#limit * 2) this.#drop(length - this.#limit);
    else if (this.#chars > this.#limitChars && length > KEPT_EVENTS)
      this.#drop(Math.min(length - KEPT_EVENTS, Math.ceil(length / 4)));
  }

  /** Forgets what happened at or before `revision`. */
  forget(revision: number): void {
    this.#drop(this.#indexAfter(revision));
    this.#forgotten = Math.max(this.#forgotten, revision);
  }

  /** Every event after `revision`. Ask only for revisions that are not forgotten. */
  after(revision: number): readonly CacheEvent[] {
    return this.#events.slice(this.#indexAfter(revision));
  }

  #indexAfter(revision: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #drop(count: number): void {
    const last = this.#events[count - 1];
    if (last === undefined) return;
    this.#forgotten = Math.max(this.#forgotten, last.revision);
    for (const { before } of this.#events.slice(0, count)) this.#chars -= before?.length ?? 0;
    this.#events = this.#events.slice(count);
  }
}
