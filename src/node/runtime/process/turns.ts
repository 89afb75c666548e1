/** How long those with much to do may keep everybody else waiting. */
const BUDGET_MS = 5;

/** Lets all that have much to do do a little of it in turn, and everybody else their part in between: a container that writes as
 *  fast as it can slows neither the node's requests nor the other containers' output. */
export class Turns {
  readonly #waiting = new Set<() => void>();
  #next: NodeJS.Immediate | undefined;

  /** `work` is called once, soon; it asks again when there is more to do. */
  ask(work: () => void): void {
    this.#waiting.add(work);
    this.#next ??= setImmediate(() => this.#take());
  }

  cancel(work: () => void): void {
    this.#waiting.delete(work);
  }

  #take(): void {
    this.#next = undefined;
    const end = performance.now() + BUDGET_MS;
    // A set hands out what is added meanwhile after all that was there.
    for (const work of this.#waiting) {
      this.#waiting.delete(work);
      work();
      if (performance.now() >= end) break;
    }
    if (this.#waiting.size > 0) this.#next ??= setImmediate(() => this.#take());
  }
}
