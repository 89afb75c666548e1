import { constants } from "node:os";
import type { NftCounter, NftElement, NftElementOp } from "../kernel.ts";
import { refusedElement } from "../nft-error.ts";
import { type FakeSetType, parseSetType } from "./nft-words.ts";

/** One table: chains as the lines they were written in, sets as their elements. */
export class FakeTable {
  readonly #chains: Map<string, string[]>;
  readonly #sets: Map<string, FakeSet>;

  constructor(chains = new Map<string, string[]>(), sets = new Map<string, FakeSet>()) {
    this.#chains = chains;
    this.#sets = sets;
  }

  /** A table that can change without this one changing. */
  clone(): FakeTable {
    return new FakeTable(
      new Map([...this.#chains].map(([name, lines]) => [name, [...lines]])),
      new Map([...this.#sets].map(([name, set]) => [name, set.clone()])),
    );
  }

  chain(name: string): string[] | undefined {
    return this.#chains.get(name);
  }

  set(name: string): FakeSet | undefined {
    return this.#sets.get(name);
  }

  /** Standing is success, as `add` has it; the new lines go to the end. */
  addChain(name: string, lines: readonly string[]): void {
    this.#chains.set(name, [...(this.#chains.get(name) ?? []), ...lines]);
  }

  addSet(name: string, kind: string, declaration: string): void {
    if (!this.#sets.has(name)) this.#sets.set(name, new FakeSet(kind, declaration));
  }

  deleteChain(name: string): boolean {
    return this.#chains.delete(name);
  }

  deleteSet(name: string): boolean {
    return this.#sets.delete(name);
  }

  /** Takes the rules out of every chain and leaves all else. */
  flush(): void {
    for (const lines of this.#chains.values()) lines.splice(0, lines.length, ...lines.filter(isHook));
  }

  /** What `nft list table` prints, but for the elements. */
  lines(): readonly string[] {
    const sets = [...this.#sets].flatMap(([name, { kind, declaration }]) =>
      block(`${kind} ${name}`, [declaration]),
    );
    const chains = [...this.#chains].flatMap(([name, lines]) => block(`chain ${name}`, lines));
    return [...sets, ...chains];
  }
}

export class FakeSet {
  readonly kind: string;
  readonly declaration: string;
  readonly type: FakeSetType;
  readonly #counts: boolean;
  readonly #elements: Map<string, NftElement>;

  constructor(kind: string, declaration: string, elements = new Map<string, NftElement>()) {
    this.kind = kind;
    this.declaration = declaration;
    this.type = parseSetType(declaration);
    this.#counts = /(?:^|[;\s])counter\b/.test(declaration);
    this.#elements = elements;
  }

  clone(): FakeSet {
    return new FakeSet(this.kind, this.declaration, new Map(this.#elements));
  }

  elements(): readonly NftElement[] {
    return [...this.#elements.values()];
  }

  flush(): void {
    this.#elements.clear();
  }

  /** @throws {NftError} ENOENT for a deletion of what is absent, EEXIST for a key that stands with other data */
  change(op: NftElementOp["op"], element: NftElement, set: string): void {
    const key = keyOf(element);
    const before = this.#elements.get(key);
    if (op === "delete") {
      if (!before) throw refused(op, element, set, constants.errno.ENOENT);
      this.#elements.delete(key);
      return;
    }
    if (before && dataText(before) !== dataText(element))
      throw refused(op, element, set, constants.errno.EEXIST);
    // What stands keeps its count.
    if (!before) this.#elements.set(key, this.#counts ? { ...element, counter: NOTHING_COUNTED } : element);
  }

  /** As if so much had found the element; one that is new to a dynamic set is added. */
  count(element: NftElement, { packets, bytes }: NftCounter): void {
    const before = this.#elements.get(keyOf(element)) ?? element;
    const { counter = NOTHING_COUNTED } = before;
    const sum = { packets: counter.packets + packets, bytes: counter.bytes + bytes };
    this.#elements.set(keyOf(element), { ...before, counter: sum });
  }
}

const NOTHING_COUNTED: NftCounter = { packets: 0, bytes: 0 };

/** The kernel's refusal of an element change, or of the set itself when no element is to blame. */
export function refused(
  op: NftElementOp["op"],
  element: NftElement | undefined,
  set: string,
  errno: number,
): Error {
  const key = element && Buffer.from(element.key).toString("hex");
  return refusedElement({ op, set, key, errno, extAck: undefined });
}

/** The line that makes a chain a base chain, and its policy. */
export function isHook(line: string): boolean {
  return /^(?:type \w+ hook|policy) /.test(line);
}

function block(head: string, lines: readonly string[]): readonly string[] {
  return [`\t${head} {`, ...lines.map((line) => `\t\t${line}`), "\t}"];
}

function keyOf({ key, keyEnd }: NftElement): string {
  return `${Buffer.from(key).toString("hex")}-${keyEnd ? Buffer.from(keyEnd).toString("hex") : ""}`;
}

function dataText({ data }: NftElement): string {
  return JSON.stringify(data?.kind === "value" ? [...data.bytes] : (data ?? null));
}
