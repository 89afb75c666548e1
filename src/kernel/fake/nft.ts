import { constants } from "node:os";
import { ipToBytes, isIp, parseIp } from "#addr/ip";
import type { Nft, NftElement, NftElementOp, NftSetRef } from "../kernel.ts";
import { refusedElement } from "../nft-error.ts";

/** Elements by set, and the text of every transaction. Chains and rules are kept as the text they came in: what a ruleset
 *  would do to a packet is for the packet tracer and the real kernel to say. */
export class FakeNft implements Nft {
  /** What `run` was given, oldest first. */
  readonly transactions: string[] = [];
  #sets = new Map<string, Map<string, NftElement>>();

  run(text: string): void {
    this.transactions.push(text);
    for (const line of text.split("\n")) this.#apply(line.trim());
  }

  list(_text: string): string {
    return this.transactions.join("\n");
  }

  changeElements(ops: readonly NftElementOp[]): void {
    const sets = new Map([...this.#sets].map(([name, elements]) => [name, new Map(elements)]));
    for (const { op, set, elements } of ops) {
      const name = nameOf(set);
      const standing = sets.get(name) ?? new Map<string, NftElement>();
      sets.set(name, standing);
      for (const element of elements) change(standing, op, element, name);
    }
    this.#sets = sets;
  }

  listElements(set: NftSetRef): readonly NftElement[] {
    return [...(this.#sets.get(nameOf(set))?.values() ?? [])];
  }

  [Symbol.dispose](): void {}

  /** What changes elements in text. */
  #apply(line: string): void {
    const [, table] = /^(?:delete|destroy|flush) table (\S+ \S+)/.exec(line) ?? [];
    const [, set] = /^(?:flush|delete|destroy) (?:set|map) (\S+ \S+ \S+)/.exec(line) ?? [];
    for (const name of [...this.#sets.keys()])
      if (name === set || (table !== undefined && name.startsWith(`${table} `))) this.#sets.delete(name);
    const [, into, list] = /^add element (\S+ \S+ \S+) \{ (.*) \}$/.exec(line) ?? [];
    if (into !== undefined && list !== undefined) this.#addAddresses(into, list.split(", "));
  }

  /** Of the elements written in text only addresses are understood. */
  #addAddresses(name: string, texts: readonly string[]): void {
    const standing = this.#sets.get(name) ?? new Map<string, NftElement>();
    this.#sets.set(name, standing);
    for (const text of texts.filter(isIp)) {
      const element = { key: ipToBytes(parseIp(text)) };
      standing.set(keyOf(element), element);
    }
  }
}

function change(
  standing: Map<string, NftElement>,
  op: NftElementOp["op"],
  element: NftElement,
  set: string,
): void {
  const key = keyOf(element);
  const before = standing.get(key);
  if (op === "delete") {
    if (!before) throw refused(op, element, set, constants.errno.ENOENT);
    standing.delete(key);
    return;
  }
  if (before && dataText(before) !== dataText(element))
    throw refused(op, element, set, constants.errno.EEXIST);
  standing.set(key, element);
}

function refused(op: NftElementOp["op"], { key }: NftElement, set: string, errno: number): Error {
  return refusedElement({ op, set, key: Buffer.from(key).toString("hex"), errno, extAck: undefined });
}

function nameOf({ family, table, set }: NftSetRef): string {
  return `${family} ${table} ${set}`;
}

function keyOf({ key, keyEnd }: NftElement): string {
  return `${Buffer.from(key).toString("hex")}-${keyEnd ? Buffer.from(keyEnd).toString("hex") : ""}`;
}

function dataText({ data }: NftElement): string {
  return JSON.stringify(data?.kind === "value" ? [...data.bytes] : (data ?? null));
}
