import { Ledger } from "./ledger.ts";
import { pickFree, type Random, type Range, reservedPorts } from "./pool.ts";

export type PortResult =
  | { readonly kind: "taken"; readonly port: number }
  | { readonly kind: "refused"; readonly why: string };

/** The node ports of the cluster. A number belongs to one Service, whose ports may share it across protocols. */
export class NodePorts {
  readonly #ledger = new Ledger<number>();
  readonly #range: Range;
  readonly #random: Random;

  constructor({ from, to }: { from: number; to: number }, random: Random) {
    this.#range = { first: from, last: to, reserved: reservedPorts(to - from + 1) };
    this.#random = random;
  }

  takeNext(holder: string): PortResult {
    const port = pickFree(this.#range, (n) => this.#ledger.isTaken(n), this.#random);
    if (port === undefined) return { kind: "refused", why: "failed to allocate a nodePort: range is full" };
    this.#ledger.take(holder, port);
    return { kind: "taken", port };
  }

  take(holder: string, port: number): PortResult {
    const result = this.foresee(holder, port);
    if (result.kind === "taken") this.#ledger.take(holder, port);
    return result;
  }

  /** What `take` would say. */
  foresee(holder: string, port: number): PortResult {
    const { first, last } = this.#range;
    if (port < first || port > last)
      return {
        kind: "refused",
        why: `provided port is not in the valid range. The range of valid ports is ${first}-${last}`,
      };
    return !this.#ledger.isTaken(port) || this.#ledger.isHeldBy(holder, port)
      ? { kind: "taken", port }
      : { kind: "refused", why: "provided port is already allocated" };
  }

  settle(holder: string, ports: readonly number[]): void {
    this.#ledger.settle(holder, ports);
  }
}
