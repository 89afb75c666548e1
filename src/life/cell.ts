/** A latest-wins cell between something that changes often and a loop that wants to know "is there news?".
 *  Setting it many times before the loop looks costs one look. One reader only. */
export class Cell<T> {
  #value: { value: T } | undefined;
  #wake: (() => void) | undefined;

  set(value: T): void {
    this.#value = { value };
    this.#wake?.();
  }

  /** Yields the newest value each time there is one; ends when aborted. */
  async *values({ signal }: { signal: AbortSignal }): AsyncGenerator<T> {
    const stop = () => this.#wake?.();
    signal.addEventListener("abort", stop);
    try {
      while (!signal.aborted) {
        const next = this.#value;
        if (next !== undefined) {
          this.#value = undefined;
          yield next.value;
          continue;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}
