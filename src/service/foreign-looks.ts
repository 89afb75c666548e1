import { Cell } from "#life/cell";
import type { Clock } from "#life/clock";

/** A look at everything costs at most this part of the time. */
const SHARE = 20;
const LEAST_WAIT_MS = 1_000;
const MOST_WAIT_MS = 300_000;

/** When to read every element again because somebody has changed nftables. What was changed cannot be told: mostly it is a table
 *  of somebody else, who may do it all day. So looks that find nothing get rarer, and those that cost much are rare anyway. */
export class ForeignLooks {
  readonly #news = new Cell<void>();
  readonly #clock: Clock;
  #endedAt = Number.NEGATIVE_INFINITY;
  #lastMs = 0;
  /** How many looks in a row have found nothing. */
  #barren = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Somebody has changed something. */
  disturb(): void {
    this.#news.set();
  }

  /** A look took so long, and has found something to put right or not. */
  looked(ms: number, hasFound: boolean): void {
    this.#endedAt = this.#clock.now();
    this.#lastMs = ms;
    this.#barren = hasFound ? 0 : this.#barren + 1;
  }

  /** Yields when it is time to look. */
  async *values({ signal }: { signal: AbortSignal }): AsyncGenerator<void> {
    for await (const _ of this.#news.values({ signal })) {
      const ms = this.#endedAt + this.#pauseMs() - this.#clock.now();
      try {
        if (ms > 0) await this.#clock.sleep(ms, { signal });
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      yield;
    }
  }

  #pauseMs(): number {
    const longer = 2 ** Math.max(0, Math.min(this.#barren, 16) - 1);
    return Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, this.#lastMs * SHARE) * longer);
  }
}
