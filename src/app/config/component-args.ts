import { nearestWord } from "#fault/near-word";
import type { ValueReader } from "./value-reader.ts";

/** What `--kube-apiserver-arg` and its like say: The arguments by name, in the order given; what is wrong with one is noted with that name. */
export class ComponentArgs {
  readonly #reader: ValueReader;
  readonly #flag: string;
  readonly #isOwn: boolean;
  readonly #values = new Map<string, string[]>();
  readonly #known = new Set<string>();

  /** @param isOwn whether each was given as a flag of its own, and `flag` is only where the reader has them */
  constructor(reader: ValueReader, flag: string, { isOwn = false }: { readonly isOwn?: boolean } = {}) {
    this.#reader = reader;
    this.#flag = flag;
    this.#isOwn = isOwn;
    for (const word of reader.list(flag)) {
      const [, name = "", value = "true"] = /^(?:--)?([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
      this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
    }
  }

  text(name: string): string | undefined {
    this.#known.add(name);
    return this.#values.get(name)?.at(-1);
  }

  flag(name: string): boolean | undefined {
    return this.parse(name, (text) => {
      if (text !== "true" && text !== "false")
        throw new Error(`${JSON.stringify(text)} is not true or false`);
      return text === "true";
    });
  }

  check(name: string, check: (text: string) => void): void {
    this.parse(name, check);
  }

  parse<T>(name: string, parse: (text: string) => T): T | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : this.#try(name, () => parse(text));
  }

  all<T>(name: string, parse: (text: string) => T): readonly T[] {
    this.#known.add(name);
    return (this.#values.get(name) ?? []).flatMap((text) => {
      const made = this.#try(name, () => parse(text));
      return made === undefined ? [] : [made];
    });
  }

  /** Understood, and without effect here: whoever gave it is told. */
  ignore(names: readonly string[], why: string): void {
    for (const name of names) if (this.text(name) !== undefined) this.warn(name, why);
  }

  warn(name: string, what: string): void {
    this.#reader.warnings.push(`--${this.#labelOf(name)}: ${what}`);
  }

  problem(name: string, why: string): void {
    this.#reader.problem(this.#labelOf(name), why);
  }

  /** Refused, with what to do instead. */
  refuse(name: string, instead: string): void {
    if (this.text(name) !== undefined) this.#refuse(name, `: ${instead}`);
  }

  refuseOthers(): void {
    for (const name of this.#values.keys()) {
      if (this.#known.has(name)) continue;
      const near = nearestWord(name, [...this.#known]);
      const hint =
        near === undefined ? `it knows ${[...this.#known].sort().join(", ")}` : `did you mean ${near}?`;
      this.#refuse(name, ` is not an argument that Twill acts on; ${hint}`);
    }
  }

  #labelOf(name: string): string {
    return this.#isOwn ? name : `${this.#flag}=${name}`;
  }

  #refuse(name: string, why: string): void {
    if (this.#isOwn) this.#reader.problem(name, why.replace(/^[: ]+/, ""));
    else this.#reader.problem(this.#flag, `${name}${why}`);
  }

  #try<T>(name: string, read: () => T): T | undefined {
    return this.#reader.try(this.#labelOf(name), read);
  }
}
