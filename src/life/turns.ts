import { setImmediate as nextTurn } from "node:timers/promises";

/** Long enough that resting costs little, short enough that nobody waits. */
const BUSY_MS = 8;

/** Cuts long work on the one thread there is: whoever does it says `rest` often, and the others have their turn every few
 *  milliseconds. */
export class Turns {
  readonly #busyMs: number;
  #since = performance.now();

  constructor(busyMs = BUSY_MS) {
    this.#busyMs = busyMs;
  }

  /** Whether so much time has gone by that the others should have their turn. */
  get isOver(): boolean {
    return performance.now() - this.#since >= this.#busyMs;
  }

  /** Returns at once while the turn lasts, and else in the next one. */
  async rest(): Promise<void> {
    if (!this.isOver) return;
    await nextTurn();
    this.#since = performance.now();
  }
}
