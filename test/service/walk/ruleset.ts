/** A table of one family as nft would hold it after reading our text: chains, sets, elements. */
import { parseRule, type Rule, type Statement } from "./rule.ts";
import { canonical, matchesWord, wordsOf } from "./words.ts";

export interface Hook {
  readonly type: "filter" | "nat" | "route";
  readonly at: "prerouting" | "input" | "forward" | "output" | "postrouting";
  readonly priority: number;
}

export interface Chain {
  readonly name: string;
  readonly hook: Hook | undefined;
  readonly rules: readonly Rule[];
}

export interface NamedSet {
  readonly name: string;
  readonly fields: number;
  readonly isMap: boolean;
  readonly isInterval: boolean;
  /** By key in one spelling; the value is "" in a set. */
  readonly elements: Map<string, string>;
}

/** What one packet's way is decided by. */
export interface Table {
  chain(name: string): Chain;
  set(name: string): NamedSet;
  readonly hooks: readonly (Chain & { readonly hook: Hook })[];
}

export class Ruleset implements Table {
  readonly #chains = new Map<string, { name: string; hook: Hook | undefined; rules: Rule[] }>();
  readonly #sets = new Map<string, NamedSet>();
  readonly #counters = new Set<string>();
  readonly #at: string;

  /** @param at the table's family and name, such as `ip twill-service` */
  constructor(at: string) {
    this.#at = at;
  }

  get chains(): readonly Chain[] {
    return [...this.#chains.values()];
  }

  get sets(): readonly NamedSet[] {
    return [...this.#sets.values()];
  }

  get hooks(): readonly (Chain & { readonly hook: Hook })[] {
    return this.chains
      .flatMap((chain) => (chain.hook ? [{ ...chain, hook: chain.hook }] : []))
      .sort((a, b) => a.hook.priority - b.hook.priority);
  }

  chain(name: string): Chain {
    const found = this.#chains.get(name);
    if (!found) throw new Error(`no chain ${name}`);
    return found;
  }

  set(name: string): NamedSet {
    const found = this.#sets.get(name);
    if (!found) throw new Error(`no set ${name}`);
    return found;
  }

  /** Carries the text's commands out; those for other tables are passed over. All of it must be understood, and what it refers
   *  to must be there when it ends, as a transaction of the kernel wants it. */
  run(text: string): this {
    const lines = text.split("\n").map((line) => line.trim());
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i] ?? "";
      if (line === "" || line.startsWith("#")) continue;
      if (/^table .* \{$/.test(line)) {
        const end = lines.findIndex(
          (other, at) => at > i && other === "}" && depthOf(lines.slice(i, at + 1)) === 0,
        );
        if (line === `table ${this.#at} {`) this.#block(lines.slice(i + 1, end));
        i = end;
      } else this.#command(line);
    }
    this.#check();
    return this;
  }

  /** The same program without any element. */
  emptied(): Ruleset {
    const copy = new Ruleset(this.#at);
    for (const [name, { hook, rules }] of this.#chains)
      copy.#chains.set(name, { name, hook, rules: [...rules] });
    for (const [name, set] of this.#sets) copy.#sets.set(name, { ...set, elements: new Map() });
    for (const name of this.#counters) copy.#counters.add(name);
    return copy;
  }

  #block(lines: readonly string[]): void {
    let open: { rules: Rule[]; hook: Hook | undefined } | undefined;
    for (const line of lines) {
      const chain = /^chain (\S+) \{$/.exec(line)?.[1];
      if (chain !== undefined) open = this.#addChain(chain);
      else if (line === "}") open = undefined;
      else if (open) this.#chainLine(open, line);
      else if (/^(?:set|map) /.test(line)) this.#addSet(line);
      else if (/^counter \S+ \{/.test(line)) this.#counters.add(line.split(" ")[1] ?? "");
      else throw new Error(`Cannot read "${line}" in a table`);
    }
  }

  #chainLine(chain: { rules: Rule[]; hook: Hook | undefined }, line: string): void {
    if (!line.startsWith("type ")) {
      chain.rules.push(parseRule(line));
      return;
    }
    const hook = /^type (filter|nat|route) hook (\w+) priority (-?\d+);(?: policy accept;)?(.*)$/.exec(line);
    if (!hook) throw new Error(`Cannot read the hook "${line}"`);
    const [, type, at, priority, rest = ""] = hook;
    chain.hook = { type: type as Hook["type"], at: at as Hook["at"], priority: Number(priority) };
    if (rest.trim() !== "") chain.rules.push(parseRule(rest.trim()));
  }

  #addChain(name: string) {
    const made = this.#chains.get(name) ?? { name, hook: undefined, rules: [] };
    this.#chains.set(name, made);
    return made;
  }

  /** A base chain's hook stands in braces after its name. */
  #addChainAs(name: string, braces: string): void {
    const chain = this.#addChain(name);
    const hook = /^\{ (type .*;) \}$/.exec(braces)?.[1];
    if (hook !== undefined) this.#chainLine(chain, hook);
    else if (braces !== "") throw new Error(`Cannot read the chain ${name} "${braces}"`);
  }

  #addSet(line: string): void {
    const [, kind, name = "", body = ""] = /^(set|map) (\S+) \{(.*)\}$/.exec(line) ?? [];
    const key = /\b(?:type|typeof) ([^;]*);/.exec(body)?.[1];
    if (key === undefined) throw new Error(`Cannot read the set "${line}"`);
    const [from = "", to] = key.split(" : ");
    const flags = /\bflags ([^;]*);/.exec(body)?.[1]?.split(",") ?? [];
    this.#sets.set(name, {
      name,
      fields: from.split(" . ").length,
      isMap: to !== undefined,
      isInterval: flags.some((flag) => flag.trim() === "interval"),
      elements: new Map(),
    });
    if (kind === "map" && to === undefined) throw new Error(`map ${name} leads to nothing`);
  }

  #command(line: string): void {
    const command = /^(add|delete|flush) (table|chain|rule|element|map|set) (ip6?) (\S+)(?: (.*))?$/.exec(
      line,
    );
    if (!command) throw new Error(`Cannot read the command "${line}"`);
    const [, op = "", what = "", family = "", table = "", rest = ""] = command;
    if (`${family} ${table}` !== this.#at) return;
    const [first = "", more = ""] = /^(\S+) (.*)$/.exec(rest)?.slice(1) ?? [rest];
    if (what === "table") this.#table(op);
    else if (what === "element") this.#element(op, rest);
    else if (op === "add" && what === "chain") this.#addChainAs(first, more);
    else if (op === "flush" && what === "chain") this.#addChain(rest).rules.splice(0);
    else if (op === "add" && what === "rule") this.#chainOf(first).rules.push(parseRule(more));
    else if (op === "add" && (what === "set" || what === "map")) this.#addSet(`${what} ${rest}`);
    else throw new Error(`Cannot carry out "${line}"`);
  }

  #chainOf(name: string) {
    const found = this.#chains.get(name);
    if (!found) throw new Error(`no chain ${name}`);
    return found;
  }

  #table(op: string): void {
    if (op !== "delete" && op !== "flush") return;
    if (op === "flush") throw new Error("Cannot flush a table: the program never does");
    this.#chains.clear();
    this.#sets.clear();
    this.#counters.clear();
  }

  #element(op: string, rest: string): void {
    const [, name = "", body = ""] = /^(\S+) \{(.*)\}$/.exec(rest) ?? [];
    const set = this.set(name);
    for (const element of body.split(",")) {
      const [from = "", to = ""] = element.trim().split(" : ");
      const key = keyOf(from);
      if (key.split(" . ").length !== set.fields)
        throw new Error(`${name} has ${set.fields} fields, not ${from}`);
      if (op === "delete") {
        if (!set.elements.delete(key)) throw new Error(`no element ${from} in ${name}`);
      } else if (op !== "add") throw new Error(`Cannot ${op} an element`);
      else if (set.isMap !== (to !== "")) throw new Error(`${name} and "${element}" do not go together`);
      else if ((set.elements.get(key) ?? keyOf(to)) !== keyOf(to))
        throw new Error(`${name} has ${from} already`);
      else set.elements.set(key, keyOf(to));
    }
  }

  /** Every name that is used stands. */
  #check(): void {
    for (const { rules } of this.#chains.values())
      for (const { statements } of rules) for (const each of statements) this.#checkStatement(each);
    for (const { elements } of this.#sets.values())
      for (const data of elements.values()) if (/^(?:goto|jump) /.test(data)) this.chain(data.slice(5));
  }

  #checkStatement(statement: Statement): void {
    if (statement.kind === "jump" || statement.kind === "goto") this.chain(statement.chain);
    if (statement.kind === "verdicts")
      for (const data of statement.by.values()) if (/^(?:goto|jump) /.test(data)) this.chain(data.slice(5));
    if ("map" in statement) this.set(statement.map);
    if (statement.kind === "counter" && statement.name !== undefined && !this.#counters.has(statement.name))
      throw new Error(`no counter ${statement.name}`);
    if (statement.kind === "match" && statement.right.kind === "set") this.set(statement.right.set);
    for (const map of JSON.stringify(statement).matchAll(/"kind":"mapped".*?"map":"([\w-]+)"/g))
      this.set(map[1] ?? "");
  }
}

function depthOf(lines: readonly string[]): number {
  let depth = 0;
  for (const word of lines.flatMap(wordsOf)) depth += word === "{" ? 1 : word === "}" ? -1 : 0;
  return depth;
}

/** One spelling of a key or value of several fields. */
export function keyOf(text: string): string {
  return text
    .trim()
    .split(" . ")
    .map((word) => canonical(word.trim()))
    .join(" . ");
}

/** The element that holds `key`: in interval sets, one whose networks do. */
export function findElement(set: NamedSet, key: string): string | undefined {
  const found = set.elements.get(key);
  if (found !== undefined || !set.isInterval) return found;
  const words = key.split(" . ");
  for (const [element, data] of set.elements) {
    const parts = element.split(" . ");
    if (parts.length === words.length && parts.every((part, i) => matchesWord(words[i] ?? "", part)))
      return data;
  }
  return undefined;
}
