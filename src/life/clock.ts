import { setTimeout as wait } from "node:timers/promises";

/** Time as an argument, so that tests move it by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep(ms: number, options: { signal: AbortSignal }): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, { signal }) {
    try {
      await wait(ms, undefined, { signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  },
};

/** Yields every `periodMs` until aborted, then simply ends. The first tick comes after one period. */
export async function* ticks(
  clock: Clock,
  periodMs: number,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(periodMs, { signal });
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    yield;
  }
}
