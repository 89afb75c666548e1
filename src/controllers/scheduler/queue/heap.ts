/** Items in order of `isBefore`: the first is always at hand, and any can be taken out. */
export class Heap<T> {
  readonly #items: T[] = [];
  readonly #places = new Map<T, number>();
  readonly #isBefore: (a: T, b: T) => boolean;

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#set(this.#items.length, item);
    this.#rise(this.#items.length - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.delete(first);
    return first;
  }

  delete(item: T): boolean {
    const place = this.#places.get(item);
    if (place === undefined) return false;
    this.#places.delete(item);
    const last = this.#items.pop();
    if (last === undefined || last === item) return true;
    this.#set(place, last);
    this.#sink(place);
    this.#rise(place);
    return true;
  }

  #rise(from: number): void {
    for (let place = from; place > 0; ) {
      const parent = (place - 1) >> 1;
      if (!this.#swapIfBefore(place, parent)) return;
      place = parent;
    }
  }

  #sink(from: number): void {
    for (let place = from; ; ) {
      const left = 2 * place + 1;
      const child = this.#isOrdered(left, left + 1) ? left : left + 1;
      if (child >= this.#items.length || !this.#swapIfBefore(child, place)) return;
      place = child;
    }
  }

  /** Whether the first place's item goes before the second's; a place without one goes last. */
  #isOrdered(a: number, b: number): boolean {
    const first = this.#items[a];
    const second = this.#items[b];
    return second === undefined || (first !== undefined && this.#isBefore(first, second));
  }

  #swapIfBefore(a: number, b: number): boolean {
    const first = this.#items[a];
    const second = this.#items[b];
    if (first === undefined || second === undefined || !this.#isBefore(first, second)) return false;
    this.#set(b, first);
    this.#set(a, second);
    return true;
  }

  #set(place: number, item: T): void {
    this.#items[place] = item;
    this.#places.set(item, place);
  }
}
