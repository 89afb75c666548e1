import { constants } from "node:os";
import type { Nft, NftCounter, NftElement, NftElementOp, NftSetRef } from "../kernel.ts";
import { refusedText } from "../nft-error.ts";
import { type Statement, splitStatements } from "./nft-statements.ts";
import { FakeTable, refused } from "./nft-table.ts";
import { parseElement, splitElements } from "./nft-words.ts";

const ABSENT = "Error: No such file or directory";

/** Tables, chains and sets as text and elements, changed all or nothing. Rules are kept as they were written: what they do
 *  to a packet is for the packet tracer and the real kernel to say. */
export class FakeNft implements Nft {
  /** What `run` was given and took, oldest first. */
  readonly transactions: string[] = [];
  #tables = new Map<string, FakeTable>();
  #generation = 1;

  run(text: string): void {
    const tables = this.#copy();
    for (const statement of splitStatements(text)) apply(tables, statement);
    this.#tables = tables;
    this.#generation += 1;
    this.transactions.push(text);
  }

  /** Knows `list tables`, `list ruleset` and `list table FAMILY NAME`. */
  list(text: string): string {
    if (text.trim() === "list tables")
      return [...this.#tables.keys()].map((head) => `table ${head}\n`).join("");
    const [, what, name] = /^list (ruleset|table (\S+ \S+))\s*$/.exec(text.trim()) ?? [];
    if (what === undefined) throw new Error(`the fake nft does not know ${JSON.stringify(text)}`);
    if (name === undefined) return [...this.#tables].map(([head, table]) => printed(head, table)).join("");
    return printed(name, found(this.#tables.get(name)));
  }

  changeElements(ops: readonly NftElementOp[]): void {
    const tables = this.#copy();
    for (const { op, set: ref, elements } of ops) {
      const name = `${ref.set} of ${ref.family} ${ref.table}`;
      const table = tables.get(`${ref.family} ${ref.table}`);
      const set = table?.set(ref.set);
      if (!table || !set) throw refused(op, undefined, name, constants.errno.ENOENT);
      for (const element of elements) {
        if (op === "add") needChain(table, element, name);
        set.change(op, element, name);
      }
    }
    this.#tables = tables;
    this.#generation += 1;
  }

  generation(): number {
    return this.#generation;
  }

  /** Of nobody's handle. */
  foreignGeneration(): number {
    return this.#generation;
  }

  listElements({ family, table, set }: NftSetRef): readonly NftElement[] {
    return found(this.#tables.get(`${family} ${table}`)?.set(set)).elements();
  }

  async listElementsInTurns(ref: NftSetRef): Promise<readonly NftElement[]> {
    return this.listElements(ref);
  }

  /** As if packets had found the element of a set that counts. */
  count({ family, table, set }: NftSetRef, element: NftElement, counted: NftCounter): void {
    found(this.#tables.get(`${family} ${table}`)?.set(set)).count(element, counted);
  }

  [Symbol.dispose](): void {}

  #copy(): Map<string, FakeTable> {
    return new Map([...this.#tables].map(([name, table]) => [name, table.clone()]));
  }
}

/** @throws {NftError} ENOENT when what the statement names is not there */
function apply(tables: Map<string, FakeTable>, { words, block }: Statement): void {
  const [, verb = "add", kind = "", rest = ""] =
    /^(?:(add|create|insert|delete|destroy|flush)\s+)?(table|chain|set|map|rule|element|ruleset)\s*(.*)$/s.exec(
      words,
    ) ?? [];
  const [family = "", tableName = "", name = ""] = rest.split(/\s+/);
  const head = `${family} ${tableName}`;
  if (kind === "ruleset") tables.clear();
  else if (kind === "table") changeTable(tables, verb, head, block);
  else if (kind !== "") changeInside(found(tables.get(head)), { verb, kind, name, words: rest, block });
  else throw refusedText(`Error: syntax error, unexpected ${JSON.stringify(words)}`);
}

function changeTable(
  tables: Map<string, FakeTable>,
  verb: string,
  head: string,
  block: string | undefined,
): void {
  const standing = tables.get(head);
  if (verb === "destroy" && !standing) return;
  if (verb === "delete" || verb === "destroy") tables.delete(found(standing) && head);
  else if (verb === "flush") found(standing).flush();
  else if (verb === "create" && standing) throw refusedText("Error: Could not process rule: File exists");
  else {
    const table = standing ?? new FakeTable();
    tables.set(head, table);
    for (const { words, block: body } of splitStatements(block ?? "")) {
      const [kind = "", name = ""] = words.split(/\s+/);
      changeInside(table, { verb: "add", kind, name, words, block: body });
    }
  }
}

interface Change {
  readonly verb: string;
  readonly kind: string;
  readonly name: string;
  /** After the kind: `ip twill services accept`. */
  readonly words: string;
  readonly block: string | undefined;
}

/** A table's own flags and comment change nothing here. */
function changeInside(table: FakeTable, change: Change): void {
  CHANGES[change.kind]?.(table, change);
}

const CHANGES: Readonly<Record<string, (table: FakeTable, change: Change) => void>> = {
  chain: changeChain,
  set: changeSet,
  map: changeSet,
  rule: addRule,
  element: changeElements,
};

function changeChain(table: FakeTable, { verb, name, block = "" }: Change): void {
  if (verb === "flush") {
    const lines = found(table.chain(name));
    lines.splice(0, lines.length, ...lines.filter((line) => line.startsWith("type ")));
  } else if (verb === "delete") found(table.deleteChain(name) || undefined);
  else if (verb === "destroy") table.deleteChain(name);
  else table.addChain(name, splitStatements(block).map(statementText));
}

function changeSet(table: FakeTable, { verb, kind, name, block = "" }: Change): void {
  if (verb === "flush") found(table.set(name)).flush();
  else if (verb === "delete") found(table.deleteSet(name) || undefined);
  else if (verb === "destroy") table.deleteSet(name);
  else table.addSet(name, kind, block.trim());
}

function addRule(table: FakeTable, { verb, name, words, block }: Change): void {
  const lines = found(table.chain(name));
  const rule = statementText({ words: words.split(/\s+/).slice(3).join(" "), block });
  if (verb === "insert") lines.unshift(rule);
  else if (verb === "add") lines.push(rule);
  else throw new Error(`the fake nft does not know rules by their handle`);
}

function changeElements(table: FakeTable, { verb, name, block = "" }: Change): void {
  const set = found(table.set(name));
  for (const text of splitElements(block)) {
    const element = parseElement(set.type, text);
    if (verb !== "delete") needChain(table, element, name);
    set.change(verb === "delete" ? "delete" : "add", element, name);
  }
}

/** An element may only lead to a chain that is there. */
function needChain(table: FakeTable, element: NftElement, set: string): void {
  const { data } = element;
  if (data?.kind === "verdict" && "chain" in data && !table.chain(data.chain))
    throw refused("add", element, set, constants.errno.ENOENT);
}

function statementText({ words, block }: Statement): string {
  return block === undefined ? words : `${words} {${block}}`;
}

function printed(head: string, table: FakeTable): string {
  return [`table ${head} {`, ...table.lines(), "}", ""].join("\n");
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw refusedText(ABSENT);
  return value;
}
