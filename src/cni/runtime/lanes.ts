/** Turns: work of one container is done in order, that of different ones side by side but never more than so many, and work
 *  on the whole network alone. */
export class Lanes {
  readonly #width: number;
  readonly #tails = new Map<string, Promise<void>>();
  #running = 0;
  #isAlone = false;
  readonly #waiting: (() => void)[] = [];
  readonly #waitingAlone: (() => void)[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  /** Runs `work` after all that was asked for this container before. */
  async inOrder<T>(container: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(container) ?? Promise.resolve();
    const done = before.then(() => this.#beside(work));
    const tail = done.then(
      () => {},
      () => {},
    );
    this.#tails.set(container, tail);
    try {
      return await done;
    } finally {
      if (this.#tails.get(container) === tail) this.#tails.delete(container);
    }
  }

  /** Runs `work` while nothing else runs. What comes later waits for it. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running > 0 || this.#isAlone)
      await new Promise<void>((resolve) => this.#waitingAlone.push(resolve));
    this.#isAlone = true;
    try {
      return await work();
    } finally {
      this.#isAlone = false;
      this.#next();
    }
  }

  async #beside<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isFull()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#next();
    }
  }

  #isFull(): boolean {
    return this.#isAlone || this.#waitingAlone.length > 0 || this.#running >= this.#width;
  }

  /** Whoever is let in counts from here on, so that nobody slips in before it runs. */
  #next(): void {
    if (this.#isAlone) return;
    if (this.#running === 0) {
      const alone = this.#waitingAlone.shift();
      if (alone) {
        this.#isAlone = true;
        alone();
        return;
      }
    }
    while (this.#waitingAlone.length === 0 && this.#running < this.#width) {
      const one = this.#waiting.shift();
      if (!one) return;
      this.#running++;
      one();
    }
  }
}
