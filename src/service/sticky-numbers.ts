import type { Family } from "#addr/family";
import { type Affinity, type Backend, type Elements, setId } from "./model.ts";
import { groupOf, STICKY_MARK, slotMark, slotOf } from "./sticky-mark.ts";

interface Group {
  readonly number: number;
  /** Slot by `ip . port`, of all endpoints the group has now. */
  slots: ReadonlyMap<string, number>;
  nextSlot: number;
}

/** Numbers of affinity groups and of the endpoints in them, which clients are remembered by. They stay as long as the group
 *  does, and over a restart: what stood in the kernel is adopted before anything is numbered anew. */
export class StickyNumbers {
  readonly #groups = new Map<string, Group>();
  readonly #taken = new Map<Family, Set<number>>();
  readonly #stood = new Map<string, number>();
  readonly #stoodSlots = new Map<string, number>();
  #next = 1;

  /** Whether the target gets affinity: it asks for it, and marks can number its endpoints. */
  has(family: Family, affinity: Affinity | undefined, endpoints: number): boolean {
    if (affinity === undefined || endpoints > STICKY_MARK.slots) return false;
    return (
      this.#groups.has(groupKey(family, affinity.group)) || this.#takenOf(family).size < STICKY_MARK.groups
    );
  }

  /** Learns numbers from elements that stand, for groups not numbered yet. */
  adopt(family: Family, elements: Elements): void {
    for (const set of ["sticky-ids", "sticky-local-ids"] as const)
      for (const [frontend, mark] of elements.get(setId(family, set)) ?? [])
        this.#stood.set(stoodKey(family, frontend, set === "sticky-local-ids"), groupOf(Number(mark)));
    for (const [mark, backend] of elements.get(setId(family, "sticky-slots")) ?? [])
      this.#stoodSlots.set(`${family} ${groupOf(Number(mark))} ${backend}`, slotOf(Number(mark)));
  }

  /** The group's number, and each endpoint's slot as a mark. Endpoints that are gone lose their slot. `isLocal`: it is found
   *  among `sticky-local-ids`. */
  assign(
    family: Family,
    name: string,
    at: { readonly frontend: string; readonly isLocal: boolean },
    backends: readonly Backend[],
  ): { group: number; slots: readonly number[] } {
    const group = this.#groupOf(family, name, at);
    const keys = backends.map(({ ip, port }) => `${ip} . ${port}`);
    const kept = keys.map(
      (key) => group.slots.get(key) ?? this.#stoodSlots.get(`${family} ${group.number} ${key}`),
    );
    const used = new Set(kept);
    const slots = kept.map((slot) => slot ?? nextFree(group, used));
    group.slots = new Map(keys.map((key, i) => [key, slots[i] ?? 0]));
    return { group: group.number, slots: slots.map((slot) => slotMark(group.number, slot)) };
  }

  /** Forgets groups that no route uses any more. */
  release(family: Family, name: string): void {
    const group = this.#groups.get(groupKey(family, name));
    if (!group) return;
    this.#groups.delete(groupKey(family, name));
    this.#takenOf(family).delete(group.number);
  }

  #groupOf(family: Family, name: string, at: { frontend: string; isLocal: boolean }): Group {
    const key = groupKey(family, name);
    const known = this.#groups.get(key);
    if (known) return known;
    const taken = this.#takenOf(family);
    const stood = this.#stood.get(stoodKey(family, at.frontend, at.isLocal));
    const number = stood !== undefined && !taken.has(stood) ? stood : this.#freeGroup(taken);
    taken.add(number);
    const group = { number, slots: new Map(), nextSlot: 1 };
    this.#groups.set(key, group);
    return group;
  }

  /** The next unused number, not the lowest: clients of a group just gone may still be remembered under its own. */
  #freeGroup(taken: ReadonlySet<number>): number {
    const standing = new Set(this.#stood.values());
    for (let tries = 0; tries < 2 * STICKY_MARK.groups; tries++) {
      const number = this.#next;
      this.#next = (this.#next % STICKY_MARK.groups) + 1;
      if (!taken.has(number) && (tries >= STICKY_MARK.groups || !standing.has(number))) return number;
    }
    throw new Error("broken invariant: all affinity groups are taken, and has() was not asked");
  }

  #takenOf(family: Family): Set<number> {
    const taken = this.#taken.get(family) ?? new Set();
    this.#taken.set(family, taken);
    return taken;
  }
}

/** Takes a slot that is not in `used`, and adds it there. */
function nextFree(group: Group, used: Set<number | undefined>): number {
  for (;;) {
    const slot = group.nextSlot;
    group.nextSlot = (slot % STICKY_MARK.slots) + 1;
    if (used.has(slot)) continue;
    used.add(slot);
    return slot;
  }
}

function groupKey(family: Family, name: string): string {
  return `${family} ${name}`;
}

function stoodKey(family: Family, frontend: string, isLocal: boolean): string {
  return `${family} ${isLocal} ${frontend}`;
}
