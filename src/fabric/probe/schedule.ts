/** When each peer is asked next: at once when it is new or has changed, soon after it was silent and then every few seconds,
 *  otherwise the more rarely the more peers there are, so that a thousand cost one question a second, and four when all are silent. */
const PERIOD_MS = 30_000;
const SHARE_MS = 1_000;
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 5_000;
const RETRY_SHARE_MS = 250;
/** Rare questions are asked together, for opening the sockets costs more than asking. */
const TOGETHER_MS = 5_000;

/** Keys of a map, or of a set. */
type Keys = Pick<ReadonlySet<string>, "has" | "keys">;

/** A peer's place in the schedule. */
export interface Turn {
  readonly key: string;
  dueMs: number;
  silences: number;
  isRunning: boolean;
}

export class Schedule {
  readonly #turns = new Map<string, Turn>();
  /** When the last of those is due that were put off by a whole period. */
  #lastDueMs = 0;

  /** Peers that are not among `keys` are not asked any more; new ones are asked at once. */
  follow(keys: Keys): void {
    for (const key of this.#turns.keys()) if (!keys.has(key)) this.#turns.delete(key);
    for (const key of keys.keys()) if (!this.#turns.has(key)) this.restart(key);
  }

  /** Asks `key` at once, as a new one. */
  restart(key: string): void {
    this.#turns.set(key, { key, dueMs: 0, silences: 0, isRunning: false });
  }

  /** The one that has been due longest, which then counts as being asked. */
  take(nowMs: number): Turn | undefined {
    let best: Turn | undefined;
    for (const turn of this.#turns.values())
      if (!turn.isRunning && turn.dueMs <= nowMs && !(best && best.dueMs <= turn.dueMs)) best = turn;
    if (best) best.isRunning = true;
    return best;
  }

  /** Whether it is still asked for: it may have left, or begun anew, meanwhile. */
  isCurrent(turn: Turn): boolean {
    return this.#turns.get(turn.key) === turn;
  }

  /** @returns how often in a row it was silent */
  finish(turn: Turn, { nowMs, isSilent }: { nowMs: number; isSilent: boolean }): number {
    turn.isRunning = false;
    turn.silences = isSilent ? turn.silences + 1 : 0;
    const period = Math.max(PERIOD_MS, this.#turns.size * SHARE_MS);
    const longest = Math.max(LONGEST_RETRY_MS, this.#turns.size * RETRY_SHARE_MS);
    const retry = Math.min(longest, FIRST_RETRY_MS * 2 ** Math.min(turn.silences - 1, 20));
    turn.dueMs = isSilent ? nowMs + retry : this.#evenly(nowMs + period, period);
    return turn.silences;
  }

  /** Those that were asked at one time, as all are at the start, are not asked at one time again. */
  #evenly(earliestMs: number, period: number): number {
    const afterLastMs = Math.min(this.#lastDueMs + period / this.#turns.size, earliestMs + period);
    this.#lastDueMs = Math.max(earliestMs, afterLastMs);
    return this.#lastDueMs;
  }

  /** How long until somebody is due; nothing while nobody waits. */
  waitMs(nowMs: number): number | undefined {
    let due = Number.POSITIVE_INFINITY;
    for (const turn of this.#turns.values()) if (!turn.isRunning) due = Math.min(due, turn.dueMs);
    if (due === Number.POSITIVE_INFINITY) return undefined;
    const waitMs = Math.max(0, due - nowMs);
    return waitMs > TOGETHER_MS ? waitMs + TOGETHER_MS : waitMs;
  }
}
