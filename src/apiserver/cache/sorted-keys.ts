/** Texts in byte order of their UTF-16 units, each once. Insertions move memory, not comparisons: fine to some hundred thousand. */
export class SortedKeys {
  readonly #keys: string[] = [];

  get length(): number {
    return this.#keys.length;
  }

  add(key: string): void {
    const at = this.indexOf(key);
    if (this.#keys[at] === key) return;
    if (at === this.#keys.length) this.#keys.push(key);
    else this.#keys.splice(at, 0, key);
  }

  delete(key: string): void {
    const at = this.indexOf(key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  /** Where the first key not less than `key` stands. */
  indexOf(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A copy of the keys that begin with `prefix` and are not less than `from`. */
  range(prefix: string, from: string): string[] {
    const start = this.indexOf(from > prefix ? from : prefix);
    const end = prefix === "" ? this.#keys.length : this.indexOf(`${prefix}\uffff`);
    return this.#keys.slice(start, Math.max(start, end));
  }
}
