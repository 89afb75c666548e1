import type { Ip } from "#addr/ip";
import { isFault } from "#fault/fault";
import type { Nft } from "#kernel/kernel";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { STRANGERS_KEPT } from "./guard.ts";
import { readStrangers, type Stranger } from "./guard-counters.ts";

const LOOK_MS = 30_000;
/** A flood of forged addresses does not fill the log either. */
const MOST_AT_ONCE = 5;

export interface GuardWatchOptions {
  readonly nft: Pick<Nft, "listElements">;
  readonly isGuarded: boolean;
  /** The node that has an address. */
  readonly nodeOf: (ip: Ip) => string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Says of each stranger once that it has sent something to the tunnels: it may be a node whose address is another than it
 *  says, and that cannot reach anybody here. */
export class GuardWatch {
  readonly #options: GuardWatchOptions;
  #told: ReadonlySet<Ip> = new Set();

  constructor(options: GuardWatchOptions) {
    this.#options = options;
  }

  /** Until aborted. */
  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    const { isGuarded, clock, log } = this.#options;
    if (!isGuarded)
      log.warn(
        "the guard is off: the tunnels' ports take packets from anybody, and VXLAN has no other guard",
      );
    for await (const _ of ticks(clock, LOOK_MS, { signal })) this.look();
  }

  look(): void {
    const { nft } = this.#options;
    try {
      const strangers = readStrangers(nft);
      if (strangers) this.#tell(strangers.listed);
    } catch (error) {
      // Whoever asks for the status is told; here it only makes a line late.
      if (!isFault(error)) throw error;
    }
  }

  #tell(listed: readonly Stranger[]): void {
    const { isGuarded, nodeOf, log } = this.#options;
    const fresh = listed.filter(({ ip }) => !this.#told.has(ip));
    const fate = isGuarded ? "dropped" : "let in";
    for (const { ip, packets } of fresh.slice(0, MOST_AT_ONCE)) {
      const node = nodeOf(ip);
      if (node === undefined)
        log.warn(`packets to the tunnels' ports from an address of no node were ${fate}`, { ip, packets });
      else
        log.warn(
          `packets to the tunnels' ports from a node before it was known, a pod, or by way of a service were ${fate}`,
          {
            ip,
            node,
            packets,
          },
        );
    }
    if (fresh.length > MOST_AT_ONCE)
      log.warn("there are more such addresses; see twill fabric status", {
        addresses: fresh.length - MOST_AT_ONCE,
        isFull: listed.length >= STRANGERS_KEPT,
      });
    // One that is forgotten in between is told again.
    this.#told = new Set(listed.map(({ ip }) => ip));
  }
}
