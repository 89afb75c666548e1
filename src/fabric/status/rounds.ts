import { explain } from "#fault/fault";
import type { RoundStatus } from "./model.ts";

/** Of a round, as the loop tells it. */
export interface HeardRound {
  readonly ops: number;
  readonly faults: readonly Error[];
  /** How long it took. */
  readonly ms?: number;
}

/** Counts what the loop does. */
export class RoundTally {
  #total = 0;
  #failed = 0;
  #repairs = 0;
  #lastSeconds: number | null = null;
  #lastFaults: readonly string[] = [];
  #snapshot: unknown;
  #wasSound = false;

  /** `snapshot` is what the round went by. One that changes something although the Nodes say nothing new, and the one before had
   *  left all as it should be, puts back what somebody else has changed (or takes a way that has come to carry by itself). */
  hear({ ops, faults, ms }: HeardRound, snapshot: unknown): void {
    this.#total += 1;
    if (ops > 0 && this.#wasSound && snapshot === this.#snapshot) this.#repairs += 1;
    if (faults.length > 0) this.#failed += 1;
    if (ms !== undefined) this.#lastSeconds = ms / 1000;
    this.#lastFaults = faults.map(explain);
    this.#snapshot = snapshot;
    this.#wasSound = faults.length === 0;
  }

  status(): RoundStatus {
    return {
      total: this.#total,
      failed: this.#failed,
      repairs: this.#repairs,
      lastSeconds: this.#lastSeconds,
      lastFaults: this.#lastFaults,
    };
  }
}
