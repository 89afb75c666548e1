import type { Family } from "#addr/family";
import { type Element, type ElementChange, type Elements, setId } from "./model.ts";
import type { SetName } from "./sets.ts";

/** What the kernel holds of an element until its change is taken; undefined for nothing. */
interface Note {
  readonly element: Element;
  readonly data: string | undefined;
  readonly group: number;
}

/** The desired elements of all services. Several may ask for the same one; it stands while any does. */
export class ElementTable {
  readonly #elements = new Map<string, Map<string, string>>();
  /** How many ask for an element, where more than one does. */
  readonly #shared = new Map<string, number>();
  /** What differs from the kernel, in the order of groups. */
  readonly #notes = new Map<string, Note>();
  #left = new Walk(this.#notes);
  /** What the kernel holds as far as nobody has been heard yet of those who may ask for it. */
  #adopted: Elements = new Map();
  #group = 0;

  /** Live: later changes show in it. */
  get elements(): Elements {
    return this.#elements;
  }

  get hasChanges(): boolean {
    return this.#notes.size > 0;
  }

  /** What changes from here on is taken together, as far as it has not changed before. */
  beginGroup(): void {
    this.#group++;
  }

  /** The kernel holds these, and nothing else. What nobody asks for may still be asked for, until `settle`. */
  adopt(standing: Elements): void {
    this.#adopted = standing;
    this.#notes.clear();
    this.#left = new Walk(this.#notes);
    for (const [id, of] of this.#elements) {
      const theirs = standing.get(id);
      for (const [key, data] of of) {
        const held = theirs?.get(key);
        if (held !== data) this.#note(elementOf(id, key, data), held);
      }
    }
  }

  /** Everybody has been heard: what the kernel holds and nobody has asked for is to go, after all else. Step by step, for there may
   *  be much of it. */
  *settle(): Generator<void> {
    const adopted = this.#adopted;
    for (const [id, of] of adopted) {
      for (const [key, data] of of) {
        if (!this.#elements.get(id)?.has(key)) {
          this.beginGroup();
          this.#note(elementOf(id, key, ""), data);
        }
        yield;
      }
    }
    if (adopted === this.#adopted) this.#adopted = new Map();
  }

  add(element: Element): void {
    const of = this.#setOf(element);
    const standing = of.get(element.key);
    if (standing !== undefined) {
      const id = elementId(element);
      this.#shared.set(id, (this.#shared.get(id) ?? 1) + 1);
    }
    if (standing === element.data) return;
    const held = standing ?? this.#adopted.get(setId(element.family, element.set))?.get(element.key);
    if (held !== element.data) this.#note(element, held);
    of.set(element.key, element.data);
  }

  remove(element: Element): void {
    const id = elementId(element);
    const others = (this.#shared.get(id) ?? 1) - 1;
    if (others > 1) this.#shared.set(id, others);
    else this.#shared.delete(id);
    if (others > 0) return;
    const of = this.#setOf(element);
    this.#note(element, of.get(element.key));
    of.delete(element.key);
  }

  /** What differs from the kernel, which is told of it: what is replaced is deleted first. About `atMost`, for a group is never
   *  cut in two; what is left is for the next time. */
  takeChanges(atMost = Number.POSITIVE_INFINITY): ElementChange[] {
    const deletes: ElementChange[] = [];
    const adds: ElementChange[] = [];
    let last: number | undefined;
    const left = this.#left;
    for (let next = left.peek(); next; left.step(), next = left.peek()) {
      const [id, { element, data, group }] = next;
      if (group !== last && deletes.length + adds.length >= atMost) break;
      last = group;
      this.#notes.delete(id);
      const now = this.#setOf(element).get(element.key);
      if (now === data) continue;
      if (data !== undefined) deletes.push({ ...element, data, op: "delete" });
      if (now !== undefined) adds.push({ ...element, data: now, op: "add" });
    }
    return [...deletes, ...adds];
  }

  #note(element: Element, data: string | undefined): void {
    const id = elementId(element);
    if (!this.#notes.has(id)) this.#notes.set(id, { element, data, group: this.#group });
  }

  #setOf({ family, set }: Element): Map<string, string> {
    const id = setId(family, set);
    const found = this.#elements.get(id);
    if (found) return found;
    const made = new Map<string, string>();
    this.#elements.set(id, made);
    return made;
  }
}

/** Goes through a map that shrinks behind it and may grow ahead. Starting over each time would pass by all that is gone. */
class Walk<K, V> {
  readonly #of: ReadonlyMap<K, V>;
  #entries: Iterator<[K, V]> | undefined;
  #next: [K, V] | undefined;

  constructor(of: ReadonlyMap<K, V>) {
    this.#of = of;
  }

  /** The first one not stepped over; undefined when there is none, for now. */
  peek(): [K, V] | undefined {
    if (this.#next) return this.#next;
    this.#entries ??= this.#of.entries();
    const { value, done } = this.#entries.next();
    if (done) this.#entries = undefined;
    else this.#next = value;
    return this.#next;
  }

  step(): void {
    this.#next = undefined;
  }
}

/** Text that no other element has. */
export function elementId({ family, set, key }: Element): string {
  return `${family} ${set} ${key}`;
}

/** Of a set by its `setId`. */
function elementOf(id: string, key: string, data: string): Element {
  return { family: Number(id[0]) as Family, set: id.slice(2) as SetName, key, data };
}
