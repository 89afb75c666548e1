const FIRST_MS = 10_000;
const MAX_MS = 300_000;

interface Entry {
  readonly waitMs: number;
  readonly armedAt: number;
}

/** When containers that ended may run again: the first time at once, then 10 s after their end, doubling to 300 s; forgotten
 *  once a run ends more than twice the cap after the last arming. One instance per pod; keys are container names. */
export class RestartBackoff {
  readonly #entries = new Map<string, Entry>();

  /** Milliseconds since the epoch before which `key`, which ended at `endedAt`, must not start; undefined is "now". */
  notBefore(key: string, endedAt: number, now: number): number | undefined {
    const entry = this.#entries.get(key);
    if (!entry || endedAt - entry.armedAt > 2 * MAX_MS) return undefined;
    const at = endedAt + entry.waitMs;
    return now < at ? at : undefined;
  }

  /** How long the wait under way is. */
  waitMs(key: string): number {
    return this.#entries.get(key)?.waitMs ?? 0;
  }

  /** Notes a restart after the end at `endedAt`. */
  arm(key: string, endedAt: number, now: number): void {
    const entry = this.#entries.get(key);
    const isStale = !entry || endedAt - entry.armedAt > 2 * MAX_MS;
    const waitMs = isStale ? FIRST_MS : Math.min(MAX_MS, entry.waitMs * 2);
    this.#entries.set(key, { waitMs, armedAt: now });
  }
}
