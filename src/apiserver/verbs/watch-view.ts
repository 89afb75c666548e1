import type { CacheEvent } from "../cache/history.ts";
import type { View } from "../cache/view.ts";

/** Hands events on as a version shows them, in order. Where a conversion must be waited for, those behind it wait too. */
export class ShownEvents {
  readonly #view: View;
  readonly #deliver: (event: CacheEvent) => void;
  readonly #fail: (error: unknown) => void;
  #last: Promise<void> | undefined;

  /** `fail` is called when a conversion fails: what cannot be shown cannot be left out either. */
  constructor(view: View, deliver: (event: CacheEvent) => void, fail: (error: unknown) => void) {
    this.#view = view;
    this.#deliver = deliver;
    this.#fail = fail;
  }

  /** Whether everything that came has been handed on. */
  get isIdle(): boolean {
    return this.#last === undefined;
  }

  push(event: CacheEvent): void {
    if (this.#view.isPlain) {
      this.#deliver(event);
      return;
    }
    try {
      const shown = this.#view.event(event);
      if (this.#last === undefined && !(shown instanceof Promise)) this.#deliver(shown);
      else this.#queue(shown);
    } catch (error) {
      this.#fail(error);
    }
  }

  #queue(shown: CacheEvent | Promise<CacheEvent>): void {
    const done: Promise<void> = Promise.all([shown, this.#last])
      .then(([event]) => this.#deliver(event))
      .catch(this.#fail)
      .finally(() => {
        if (this.#last === done) this.#last = undefined;
      });
    this.#last = done;
  }
}
