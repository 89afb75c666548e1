import { close } from "./ffi/libc.ts";

const standing = new Map<number, string>();

/** Owns a descriptor: closed once, at the end of its `using`, unless given away. */
export class Fd implements Disposable {
  #number: number | undefined;

  /** Takes over `number`; `what` names it in leak reports. */
  constructor(number: number, what: string) {
    this.#number = number;
    standing.set(number, what);
  }

  /** @throws {Error} when it is closed already, which is a bug of the caller */
  get number(): number {
    if (this.#number === undefined) throw new Error("broken invariant: the descriptor is closed");
    return this.#number;
  }

  get isOpen(): boolean {
    return this.#number !== undefined;
  }

  /** Gives the descriptor to the caller, who closes it. */
  disown(): number {
    const number = this.number;
    this.#number = undefined;
    standing.delete(number);
    return number;
  }

  [Symbol.dispose](): void {
    if (this.#number !== undefined) close(this.disown());
  }
}

/** What this thread has open through `Fd`, for tests that must leave nothing behind. */
export function openFds(): readonly string[] {
  return [...standing].map(([number, what]) => `${number}: ${what}`);
}
