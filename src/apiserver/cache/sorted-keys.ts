/** How many keys may wait unsorted before one sort is cheaper than putting each in its place. */
const MANY = 64;

/** Texts in byte order of their UTF-16 units, each once. Keys that come in bulk are sorted once, when somebody looks; single ones move memory,
 *  not comparisons: fine to some hundred thousand. */
export class SortedKeys {
  #keys: string[] = [];
  #fresh: string[] = [];

  get length(): number {
    this.#settle();
    return this.#keys.length;
  }

  add(key: string): void {
    if (this.#fresh.length === 0 && key > (this.#keys.at(-1) ?? "")) this.#keys.push(key);
    else this.#fresh.push(key);
  }

  delete(key: string): void {
    const at = this.indexOf(key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  /** Where the first key not less than `key` stands. */
  indexOf(key: string): number {
    this.#settle();
    return this.#find(key);
  }

  /** A copy of the keys that begin with `prefix` and are not less than `from`. */
  range(prefix: string, from: string): string[] {
    const start = this.indexOf(from > prefix ? from : prefix);
    const end = prefix === "" ? this.#keys.length : this.#find(`${prefix}\uffff`);
    return this.#keys.slice(start, Math.max(start, end));
  }

  #find(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #settle(): void {
    if (this.#fresh.length === 0) return;
    const fresh = this.#fresh;
    this.#fresh = [];
    if (fresh.length > MANY) this.#keys = [...new Set(this.#keys.concat(fresh))].sort();
    else for (const key of fresh) this.#insert(key);
  }

  #insert(key: string): void {
    const at = this.#find(key);
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
  }
}
