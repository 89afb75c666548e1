import type { Reply } from "../../reply.ts";

export interface Entry {
  readonly reply: Reply;
  readonly storedMs: number;
  /** Seconds it is good for, and the TTL it was given. */
  readonly ttl: number;
  readonly by: string;
  /** Questions since it was stored, and when the last one came: for prefetching. */
  hits: number;
  lastHitMs: number;
}

/** Entries up to a capacity; the oldest makes room. */
export class Store {
  readonly #entries = new Map<string, Entry>();
  readonly #capacity: number;
  evictions = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  set(key: string, entry: Entry): void {
    this.#entries.delete(key); // So that it counts as the newest.
    this.#entries.set(key, entry);
    if (this.#entries.size <= this.#capacity) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      this.evictions++;
      return;
    }
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

/** Whole seconds left of an entry's life; zero or less when it is over. */
export function secondsLeft(entry: Entry, nowMs: number): number {
  return entry.ttl - Math.floor((nowMs - entry.storedMs) / 1000);
}
