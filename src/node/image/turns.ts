import type { Clock } from "#life/clock";
import type { PullLimits } from "./pulls.ts";

/** Lets work begin in the order it came, so many at a time and no faster than so many a second. */
export class Turns {
  readonly #limits: PullLimits;
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** When the next one may begin if all that was saved up is spent; in milliseconds since the epoch. */
  #paidUntil = Number.NEGATIVE_INFINITY;

  constructor(limits: PullLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** @throws what the work throws; what `signal` aborted with while it waits */
  async take<T>(work: () => Promise<T>, { signal }: { signal: AbortSignal }): Promise<T> {
    await this.#enter(signal);
    try {
      await this.#pace(signal);
      return await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  /** Returns with one more running. */
  async #enter(signal: AbortSignal): Promise<void> {
    const { atOnce } = this.#limits;
    while (atOnce > 0 && this.#running >= atOnce) {
      const turn = Promise.withResolvers<void>();
      const leave = () => {
        const at = this.#waiting.indexOf(turn.resolve);
        if (at >= 0) this.#waiting.splice(at, 1);
        turn.reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(turn.resolve);
      await turn.promise.finally(() => signal.removeEventListener("abort", leave));
    }
    this.#running++;
  }

  async #pace(signal: AbortSignal): Promise<void> {
    const { perSecond, burst } = this.#limits;
    signal.throwIfAborted();
    if (perSecond <= 0) return;
    const [now, eachMs] = [this.#clock.now(), 1000 / perSecond];
    const earliest = now - Math.max(0, burst - 1) * eachMs;
    const at = Math.max(earliest, this.#paidUntil);
    this.#paidUntil = at + eachMs;
    if (at > now) await this.#clock.sleep(at - now, { signal });
  }
}
