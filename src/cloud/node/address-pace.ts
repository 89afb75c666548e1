import type { NodeAddress } from "#kube/generated/types";
import type { Clock } from "#life/clock";

const PACE_MS = 10_000;

/** The same addresses are written again only after a while: where another controller writes others, two that answer at once would never
 *  come to rest. */
export class AddressPace {
  readonly #clock: Clock;
  readonly #written = new Map<string, { readonly text: string; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long to wait before these are written to that Node; 0 for not at all. */
  waitMs(name: string, addresses: readonly NodeAddress[]): number {
    const before = this.#written.get(name);
    if (before?.text !== JSON.stringify(addresses)) return 0;
    return Math.max(0, before.at + PACE_MS - this.#clock.now());
  }

  wrote(name: string, addresses: readonly NodeAddress[]): void {
    this.#written.set(name, { text: JSON.stringify(addresses), at: this.#clock.now() });
  }

  forget(name: string): void {
    this.#written.delete(name);
  }
}
