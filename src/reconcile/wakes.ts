/** Reasons to do something, collected until somebody takes them. One taker only. A pile of races between promises of which one
 *  never settles would grow with every race; this does not. */
export class Wakes<Reason> {
  #reasons = new Set<Reason>();
  #wake: (() => void) | undefined;

  add(reason: Reason): void {
    this.#reasons.add(reason);
    this.#wake?.();
  }

  /** Resolves with all reasons there are, at least one. */
  async take(): Promise<ReadonlySet<Reason>> {
    while (this.#reasons.size === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = undefined;
    const reasons = this.#reasons;
    this.#reasons = new Set();
    return reasons;
  }
}
