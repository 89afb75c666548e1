import type { Json } from "../json.ts";
import type { FieldError } from "../kinds/kind.ts";

/** One thing that a value does wrong by its schema. */
export interface Flaw {
  readonly type: FieldError["type"];
  /** Such as `spec.ports[0]`, below where the check began; undefined when kube-apiserver does not say where. */
  readonly name: string | undefined;
  readonly value?: Json | undefined;
  readonly detail: string;
  /** What tells it from other flaws: the same one, found twice, is one. */
  readonly text: string;
}

/** What a check found: flaws, and how much else was right, by which the nearest of several alternatives is told. */
export class Found {
  readonly flaws: Flaw[] = [];
  matches = 0;
  #texts: Set<string> | undefined;

  get isValid(): boolean {
    return this.flaws.length === 0;
  }

  add(flaw: Flaw): void {
    this.#texts ??= new Set(this.flaws.map(({ text }) => text));
    if (this.#texts.has(flaw.text)) return;
    this.#texts.add(flaw.text);
    this.flaws.push(flaw);
  }

  merge(other: Found): void {
    for (const flaw of other.flaws) this.add(flaw);
    this.matches += other.matches;
  }
}

/** The errors of a check that began at `path`; undefined at the root of an object. */
export function errorsAt(path: string | undefined, { flaws }: Found): FieldError[] {
  return flaws.map(({ type, name, value, detail }) => {
    const below = name?.replace(/^\./, "") ?? "";
    const at = below === "" ? (path ?? "<nil>") : path === undefined ? below : `${path}.${below}`;
    return value === undefined ? { type, path: at, detail } : { type, path: at, value, detail };
  });
}
