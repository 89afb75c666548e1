import type { Clock } from "#life/clock";
import type { CriChannel } from "./channel.ts";
import { hasStatus } from "./cri-fault.ts";

const CALL_MS = 120_000;
const RETRY_MS = 1_000;

interface Stop {
  /** When the grace is over, in milliseconds since the epoch. */
  readonly deadline: number;
  readonly ended: Promise<void>;
}

/** Containers that are being stopped, each with the shortest grace it was given. */
export class Stopping {
  readonly #channel: CriChannel;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #stops = new Map<string, Stop>();

  constructor({ channel, clock, signal }: { channel: CriChannel; clock: Clock; signal: AbortSignal }) {
    this.#channel = channel;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Resolves once the container has ended. A shorter grace is a call of its own: the runtime kills when the first of them is over.
   *  @throws {CriFault} */
  stop(id: string, graceMs: number): Promise<void> {
    const deadline = this.#clock.now() + graceMs;
    const standing = this.#stops.get(id);
    if (standing && standing.deadline <= deadline) return standing.ended;
    const stop: Stop = { deadline, ended: this.#call(id, deadline) };
    this.#stops.set(id, stop);
    const forget = () => {
      if (this.#stops.get(id) === stop) this.#stops.delete(id);
    };
    stop.ended.then(forget, forget);
    return stop.ended;
  }

  /** A runtime that goes away meanwhile is asked again when it is back, for what is left of the grace. */
  async #call(containerId: string, deadline: number): Promise<void> {
    for (;;) {
      const leftMs = Math.max(0, deadline - this.#clock.now());
      const request = { containerId, timeout: BigInt(Math.ceil(leftMs / 1000)) };
      const options = { timeoutMs: CALL_MS + leftMs, signal: this.#signal };
      try {
        await this.#channel.call("StopContainer", request, options);
        return;
      } catch (error) {
        if (hasStatus(error, "NotFound")) return;
        if (!hasStatus(error, "Unavailable")) throw error;
        await this.#clock.sleep(RETRY_MS, { signal: this.#signal });
      }
    }
  }
}
