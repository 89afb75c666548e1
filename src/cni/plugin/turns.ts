import { setImmediate as nextTurn } from "node:timers/promises";

/** Work in the order in which it was announced, one piece at a time, with a pause in between for everything else. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** `work` is done with what `ready` brings, after all that was announced before. A piece that throws a bug ends the process. */
  take<T>(ready: Promise<T>, work: (value: T) => void): void {
    const before = this.#last;
    this.#last = (async () => {
      const value = await ready;
      await before;
      await nextTurn();
      work(value);
    })();
  }
}
