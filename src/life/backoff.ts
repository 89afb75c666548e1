import type { Clock } from "./clock.ts";

export interface BackoffShape {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly factor?: number;
}

/** Waits longer after each failure, up to a cap; `reset` starts over. */
export class Backoff {
  readonly #shape: BackoffShape;
  #failures = 0;

  constructor(shape: BackoffShape) {
    this.#shape = shape;
  }

  /** How long to wait now; counts one more failure. */
  nextMs(): number {
    const { firstMs, maxMs, factor = 2 } = this.#shape;
    return Math.min(maxMs, firstMs * factor ** Math.min(this.#failures++, 30));
  }

  reset(): void {
    this.#failures = 0;
  }
}

/** Runs `attempt` until it returns, waiting between failures. `onFailure` hears each error, and throws to give up. */
export async function retry<T>(
  attempt: () => Promise<T>,
  options: {
    clock: Clock;
    shape: BackoffShape;
    signal: AbortSignal;
    onFailure?: (error: unknown, waitMs: number) => void;
  },
): Promise<T> {
  const backoff = new Backoff(options.shape);
  for (;;) {
    options.signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      options.signal.throwIfAborted();
      const waitMs = backoff.nextMs();
      options.onFailure?.(error, waitMs);
      await options.clock.sleep(waitMs, { signal: options.signal });
    }
  }
}
