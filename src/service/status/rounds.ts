import { explain } from "#fault/fault";
import type { RoundStatus } from "./model.ts";

/** Of a round, as the loop tells it. */
export interface HeardRound {
  readonly ops: number;
  readonly faults: readonly Error[];
  readonly ms: number;
}

/** Counts what the loop does. */
export class RoundTally {
  #total = 0;
  #failed = 0;
  #lastAtMs: number | undefined;
  #lastSeconds: number | null = null;
  #lastFaults: readonly string[] = [];

  /** `atMs`: since the epoch, when it ended. */
  hear({ faults, ms }: HeardRound, atMs: number): void {
    this.#total += 1;
    if (faults.length > 0) this.#failed += 1;
    this.#lastAtMs = atMs;
    this.#lastSeconds = ms / 1000;
    this.#lastFaults = faults.map(explain);
  }

  status(): RoundStatus {
    return {
      total: this.#total,
      failed: this.#failed,
      lastAt: this.#lastAtMs === undefined ? null : new Date(this.#lastAtMs).toISOString(),
      lastSeconds: this.#lastSeconds,
      lastFaults: this.#lastFaults,
    };
  }
}
