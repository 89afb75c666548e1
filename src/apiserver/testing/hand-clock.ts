import type { Clock } from "#life/clock";

/** A clock that stands still until it is moved. */
export interface HandClock extends Clock {
  /** Moves time on, waking every sleeper whose time has come, also those that only then fall asleep again. */
  advance(ms: number): Promise<void>;
}

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export function openHandClock(start = Date.now()): HandClock {
  let now = start;
  const sleepers = new Set<Sleeper>();
  const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 5));
  return {
    now: () => now,
    sleep: (ms, { signal }) =>
      new Promise((resolve, reject) => {
        const sleeper: Sleeper = { at: now + ms, wake: resolve };
        sleepers.add(sleeper);
        signal.addEventListener("abort", () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        });
      }),
    advance: async (ms) => {
      const end = now + ms;
      for (;;) {
        const next = [...sleepers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        now = next.at;
        sleepers.delete(next);
        next.wake();
        await settle();
      }
      now = end;
    },
  };
}
