/** At most ten looks a second, and one while somebody undoes again and again what is put right. */
const PACE_MS = 100;
const FIGHT_PACE_MS = 1_000;
/** So many repairs of the same within so long are a fight; it is over when there has been none of anything for as long. */
const FIGHT_REPAIRS = 20;
const FIGHT_MS = 30_000;
const REPAIRS_KEPT = 200;

export type Fight = "begins" | "goes on" | "ends" | "none";

/** When the next look may be, so that whoever undoes what we do costs little: the first one is answered at once. */
export class LookPace {
  /** Oldest first. */
  #repairs: { readonly at: number; readonly what: string }[] = [];
  #lastLook = Number.NEGATIVE_INFINITY;
  #isFight = false;

  /** How long from `now` until another look. */
  waitMs(now: number): number {
    return Math.max(0, this.#lastLook + (this.#isFight ? FIGHT_PACE_MS : PACE_MS) - now);
  }

  /** Counts a look, and what it has put right, if anything. */
  looked(now: number, what: string | undefined): Fight {
    this.#lastLook = now;
    if (what !== undefined) this.#repairs.push({ at: now, what });
    this.#repairs = this.#repairs.slice(-REPAIRS_KEPT).filter(({ at }) => at > now - FIGHT_MS);
    const wasFight = this.#isFight;
    const repairs = wasFight ? this.#repairs : this.#repairs.filter((repair) => repair.what === what);
    this.#isFight = repairs.length >= (wasFight ? 1 : FIGHT_REPAIRS);
    if (this.#isFight) return wasFight ? "goes on" : "begins";
    return wasFight ? "ends" : "none";
  }
}
