/** At most ten looks a second, and one while somebody undoes again and again what is put right. */
const PACE_MS = 100;
const FIGHT_PACE_MS = 1_000;
/** So many repairs within so long are a fight; it is over when there has been none for as long. */
const FIGHT_REPAIRS = 20;
const FIGHT_MS = 30_000;

export type Fight = "begins" | "goes on" | "ends" | "none";

/** When the next look may be, so that whoever undoes what we do costs little: the first one is answered at once. */
export class LookPace {
  /** When repairs were, oldest first. */
  #repairs: number[] = [];
  #lastLook = Number.NEGATIVE_INFINITY;
  #isFight = false;

  /** How long from `now` until another look. */
  waitMs(now: number): number {
    return Math.max(0, this.#lastLook + (this.#isFight ? FIGHT_PACE_MS : PACE_MS) - now);
  }

  /** Counts a look, and whether it found something to put right. */
  looked(now: number, hasRepaired: boolean): Fight {
    this.#lastLook = now;
    if (hasRepaired) this.#repairs.push(now);
    this.#repairs = this.#repairs.slice(-FIGHT_REPAIRS).filter((at) => at > now - FIGHT_MS);
    const wasFight = this.#isFight;
    this.#isFight = wasFight ? this.#repairs.length > 0 : this.#repairs.length === FIGHT_REPAIRS;
    if (this.#isFight) return wasFight ? "goes on" : "begins";
    return wasFight ? "ends" : "none";
  }
}
