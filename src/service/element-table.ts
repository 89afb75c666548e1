import { type Element, type ElementChange, type Elements, setId } from "./model.ts";

/** The desired elements of all services. Several may ask for the same one; it stands while any does. */
export class ElementTable {
  readonly #elements = new Map<string, Map<string, string>>();
  /** How many ask for an element, where more than one does. */
  readonly #shared = new Map<string, number>();
  /** What an element's data was when changes were last taken; undefined for none. */
  readonly #before = new Map<string, { readonly element: Element; readonly data: string | undefined }>();

  /** Live: later changes show in it. */
  get elements(): Elements {
    return this.#elements;
  }

  add(element: Element): void {
    const id = elementId(element);
    const of = this.#setOf(element);
    const standing = of.get(element.key);
    if (standing !== undefined) this.#shared.set(id, (this.#shared.get(id) ?? 1) + 1);
    if (standing === element.data) return;
    this.#note(id, element, standing);
    of.set(element.key, element.data);
  }

  remove(element: Element): void {
    const id = elementId(element);
    const others = (this.#shared.get(id) ?? 1) - 1;
    if (others > 1) this.#shared.set(id, others);
    else this.#shared.delete(id);
    if (others > 0) return;
    const of = this.#setOf(element);
    this.#note(id, element, of.get(element.key));
    of.delete(element.key);
  }

  /** What differs from when this was last called: what is replaced is deleted first. */
  takeChanges(): ElementChange[] {
    const deletes: ElementChange[] = [];
    const adds: ElementChange[] = [];
    for (const { element, data } of this.#before.values()) {
      const now = this.#setOf(element).get(element.key);
      if (now === data) continue;
      if (data !== undefined) deletes.push({ ...element, data, op: "delete" });
      if (now !== undefined) adds.push({ ...element, data: now, op: "add" });
    }
    this.#before.clear();
    return [...deletes, ...adds];
  }

  #note(id: string, element: Element, data: string | undefined): void {
    if (!this.#before.has(id)) this.#before.set(id, { element, data });
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

/** Text that no other element has. */
export function elementId({ family, set, key }: Element): string {
  return `${family} ${set} ${key}`;
}
