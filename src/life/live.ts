/** A value that may change while others go by it. */
export interface Live<T> {
  readonly current: T;
  /** `listener` is called after each change, until the subscription is disposed of. */
  subscribe(listener: (now: T) => void): Disposable;
}

/** One that its owner changes. */
export class LiveValue<T> implements Live<T> {
  readonly #listeners = new Set<(now: T) => void>();
  #current: T;

  constructor(first: T) {
    this.#current = first;
  }

  get current(): T {
    return this.#current;
  }

  set(now: T): void {
    this.#current = now;
    for (const listener of [...this.#listeners]) listener(now);
  }

  subscribe(listener: (now: T) => void): Disposable {
    const own = (now: T) => listener(now);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }
}

/** One that never changes. */
export function always<T>(current: T): Live<T> {
  return { current, subscribe: () => ({ [Symbol.dispose]() {} }) };
}

/** What follows from `live`, as it changes. */
export function mapLive<A, B>(live: Live<A>, f: (value: A) => B): Live<B> {
  return {
    get current() {
      return f(live.current);
    },
    subscribe: (listener) => live.subscribe((now) => listener(f(now))),
  };
}
