/** Who holds what there is only once of. A value has one holder; a holder may have many values. */
export class Ledger<V> {
  readonly #holders = new Map<V, string>();
  readonly #held = new Map<string, Set<V>>();

  isTaken(value: V): boolean {
    return this.#holders.has(value);
  }

  isHeldBy(holder: string, value: V): boolean {
    return this.#holders.get(value) === holder;
  }

  /** False when somebody else holds it. */
  take(holder: string, value: V): boolean {
    const present = this.#holders.get(value);
    if (present !== undefined) return present === holder;
    this.#holders.set(value, holder);
    const held = this.#held.get(holder) ?? new Set<V>();
    this.#held.set(holder, held.add(value));
    return true;
  }

  /** Makes `values` all that `holder` holds; what another one holds stays theirs. */
  settle(holder: string, values: Iterable<V>): void {
    for (const value of this.#held.get(holder) ?? []) this.#holders.delete(value);
    this.#held.delete(holder);
    for (const value of values) this.take(holder, value);
  }

  get size(): number {
    return this.#holders.size;
  }
}
