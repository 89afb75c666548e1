import { setImmediate as nextTurn } from "node:timers/promises";

/** Work in the order in which it was announced, with a pause after each step for everything else. */
export class Turns<T> {
  readonly #waiting: { readonly ready: Promise<void>; value?: T }[] = [];
  readonly #step: (ready: readonly T[]) => number;
  #isAtWork = false;

  /** `step` is given what is ready at the head of the line, and returns how much of it is done, one at least. A step that throws
   *  a bug ends the process. */
  constructor(step: (ready: readonly T[]) => number) {
    this.#step = step;
  }

  /** What `coming` brings is done after all that was announced before. */
  take(coming: Promise<T>): void {
    const place: { ready: Promise<void>; value?: T } = {
      ready: coming.then((value) => {
        place.value = value;
      }),
    };
    this.#waiting.push(place);
    if (this.#isAtWork) return;
    this.#isAtWork = true;
    void this.#work();
  }

  async #work(): Promise<void> {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      await first.ready;
      await nextTurn();
      this.#waiting.splice(0, this.#step(this.#ready()));
    }
    this.#isAtWork = false;
  }

  #ready(): readonly T[] {
    const ready: T[] = [];
    for (const { value } of this.#waiting) {
      if (value === undefined) break;
      ready.push(value);
    }
    return ready;
  }
}
