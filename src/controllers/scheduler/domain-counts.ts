/** Pods counted by domain, with the smallest count at hand. */
export class DomainCounts {
  readonly #counts = new Map<string, number>();
  /** How many domains have each count. */
  readonly #levels = new Map<number, number>();
  #least = 0;

  get size(): number {
    return this.#counts.size;
  }

  /** The smallest count of any domain; infinite when there are none. */
  get least(): number {
    if (this.#counts.size === 0) return Number.POSITIVE_INFINITY;
    if (!this.#levels.has(this.#least)) this.#least = Math.min(...this.#levels.keys());
    return this.#least;
  }

  has(domain: string): boolean {
    return this.#counts.has(domain);
  }

  of(domain: string): number {
    return this.#counts.get(domain) ?? 0;
  }

  /** Adds to a domain's count; by 0, the domain is known from now on. */
  add(domain: string, by: number): void {
    const before = this.#counts.get(domain);
    const after = (before ?? 0) + by;
    if (before === after) return;
    if (before !== undefined) this.#level(before, -1);
    this.#counts.set(domain, after);
    this.#level(after, 1);
    if (after < this.#least) this.#least = after;
  }

  #level(count: number, by: 1 | -1): void {
    const domains = (this.#levels.get(count) ?? 0) + by;
    if (domains === 0) this.#levels.delete(count);
    else this.#levels.set(count, domains);
  }
}
