import type { Clock } from "#life/clock";
import type { FabricKind } from "./model.ts";

/** For how long a kind stays that nobody needs any more: until the last peer has heard of it, and packets on their way have
 *  arrived. */
export const LINGER_MS = 30_000;

/** Tells which kinds stand only because they were needed a moment ago. */
export class Linger {
  readonly #clock: Clock;
  readonly #lastNeeded = new Map<FabricKind, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of what stands, what is no longer needed but for less than `LINGER_MS`. What an earlier run left counts from the first look
   *  on. Of host-gw nothing stands once this node's own routes have gone, but others' packets still come that way. */
  of(standing: ReadonlySet<FabricKind>, needed: ReadonlySet<FabricKind>): ReadonlySet<FabricKind> {
    const now = this.#clock.now();
    for (const kind of needed) this.#lastNeeded.set(kind, now);
    const lingering = new Set<FabricKind>();
    for (const kind of new Set([...standing, ...this.#neededOnce("host-gw")])) {
      if (needed.has(kind)) continue;
      const since = this.#lastNeeded.get(kind) ?? now;
      this.#lastNeeded.set(kind, since);
      if (now - since < LINGER_MS) lingering.add(kind);
    }
    return lingering;
  }

  #neededOnce(kind: FabricKind): readonly FabricKind[] {
    return this.#lastNeeded.has(kind) ? [kind] : [];
  }
}
