import type { Clock } from "../clock.ts";

/** What a sleeper does when it wakes takes a few turns of the loop: an answer, a promise, another one. */
const TURNS = 5;

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** For tests: a clock that stands still until it is moved. */
export class HandClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(startMs: number = Date.parse("2026-01-01T00:00:00Z")) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, { signal }: { signal: AbortSignal }): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { at: this.#now + ms, wake: resolve };
    this.#sleepers.add(sleeper);
    const stop = () => {
      this.#sleepers.delete(sleeper);
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    return promise;
  }

  /** Moves on, and wakes sleepers in the order of their time. Each has done what it woke for before the next one wakes, and all
   *  have when this resolves. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const next = this.#first(end);
      if (!next) break;
      this.#sleepers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    this.#now = end;
  }

  /** Of those that began to wait together, the first. */
  #first(end: number): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers)
      if (sleeper.at <= end && (!first || sleeper.at < first.at)) first = sleeper;
    return first;
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
