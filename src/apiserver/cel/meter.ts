import { CelFault } from "./fault.ts";

/** What one expression may cost. */
export const CALL_LIMIT = 1_000_000;

export const OUT_OF_BUDGET =
  "validation failed due to running out of cost budget, no further validation rules will be run";

/** What all expressions of one request or object may cost together. */
export class Budget {
  #left: number;

  constructor(limit: number) {
    this.#left = limit;
  }

  get left(): number {
    return this.#left;
  }

  take(cost: number): void {
    this.#left -= Math.ceil(cost);
  }
}

/** Counts the cost of one evaluation: a step is 1, a tenth for each character or element that is walked over. */
export class Meter {
  #left: number;
  readonly #limit: number;
  readonly #isTotal: boolean;

  constructor(budget: Budget, callLimit = CALL_LIMIT) {
    this.#isTotal = budget.left < callLimit;
    this.#limit = Math.max(0, Math.min(budget.left, callLimit));
    this.#left = this.#limit;
  }

  get spent(): number {
    return this.#limit - this.#left;
  }

  /** @throws {CelFault} cost, before the work is done */
  spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0)
      throw new CelFault(
        "cost",
        this.#isTotal ? OUT_OF_BUDGET : "operation cancelled: actual cost limit exceeded",
      );
  }
}
