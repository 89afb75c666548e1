/** One rule of the program: the few shapes we use, each with a meaning. Anything else is an error, so that a new shape is not
 *  walked past. */
import { canonical, Words } from "./words.ts";

export type Field =
  | "saddr"
  | "daddr"
  | "l4proto"
  | "sport"
  | "dport"
  | "mark"
  | "iifname"
  | "ct state"
  | "ct status"
  | "ct direction"
  | "nfproto"
  | "saddr type"
  | "daddr type";

export type Expression =
  | { readonly kind: "field"; readonly field: Field }
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "random"; readonly below: number }
  | { readonly kind: "hash"; readonly of: Expression; readonly below: number; readonly seed: number }
  | { readonly kind: "bits"; readonly op: "&" | "|" | "^"; readonly left: Expression; readonly right: number }
  | { readonly kind: "joined"; readonly parts: readonly Expression[] }
  | { readonly kind: "mapped"; readonly key: Expression; readonly map: string };

export type Operand =
  | { readonly kind: "set"; readonly set: string }
  | { readonly kind: "words"; readonly words: readonly string[] };

export type Statement =
  | {
      readonly kind: "match";
      readonly left: Expression;
      readonly isNegated: boolean;
      readonly right: Operand;
    }
  | { readonly kind: "verdict"; readonly verdict: "accept" | "drop" | "return" | "reject" | "reset" }
  | { readonly kind: "jump" | "goto"; readonly chain: string }
  | { readonly kind: "vmap"; readonly key: Expression; readonly map: string }
  | { readonly kind: "verdicts"; readonly key: Expression; readonly by: ReadonlyMap<string, string> }
  | { readonly kind: "set-mark"; readonly value: Expression }
  | { readonly kind: "dnat"; readonly to: Expression }
  | { readonly kind: "masquerade" }
  | { readonly kind: "counter"; readonly name: string | undefined }
  | {
      readonly kind: "remember";
      readonly op: "add" | "update" | "delete";
      readonly map: string;
      readonly key: Expression;
      readonly value: Expression | undefined;
      readonly seconds: number | undefined;
    };

export interface Rule {
  readonly text: string;
  readonly statements: readonly Statement[];
}

/** @throws {Error} naming the rule, for what has no meaning here */
export function parseRule(text: string): Rule {
  const words = new Words(text);
  const statements: Statement[] = [];
  try {
    while (!words.isAtEnd) statements.push(statement(words));
  } catch (cause) {
    throw new Error(`Cannot walk rule "${text}": ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return { text, statements };
}

function statement(words: Words): Statement {
  switch (words.peek()) {
    case "accept":
    case "drop":
    case "return":
      return { kind: "verdict", verdict: words.take() as "accept" | "drop" | "return" };
    case "reject":
      return reject(words);
    case "jump":
    case "goto":
      return { kind: words.take() as "jump" | "goto", chain: words.take() };
    case "counter":
      words.take();
      return { kind: "counter", name: words.takes("name") ? words.take().replaceAll('"', "") : undefined };
    case "masquerade":
      words.take();
      words.takes("fully-random");
      return { kind: "masquerade" };
    case "dnat":
      words.take();
      words.takes("ip6") || words.expect("ip");
      words.expect("to");
      return { kind: "dnat", to: expression(words) };
    case "add":
    case "update":
    case "delete":
      return remember(words);
    default:
      return match(words);
  }
}

function reject(words: Words): Statement {
  words.take();
  if (!words.takes("with")) return { kind: "verdict", verdict: "reject" };
  if (words.takes("tcp", "reset")) return { kind: "verdict", verdict: "reset" };
  words.expect("icmpx", "port-unreachable");
  return { kind: "verdict", verdict: "reject" };
}

function remember(words: Words): Statement {
  const op = words.take() as "add" | "update" | "delete";
  const map = setName(words.take());
  words.expect("{");
  const key = expression(words);
  const seconds = words.takes("timeout") ? secondsOf(words.take()) : undefined;
  const value = words.takes(":") ? expression(words) : undefined;
  words.expect("}");
  return { kind: "remember", op, map, key, value, seconds };
}

function secondsOf(word: string): number {
  if (!/^\d+s$/.test(word)) throw new Error(`no meaning for the time "${word}"`);
  return Number(word.slice(0, -1));
}

function match(words: Words): Statement {
  const left = expression(words);
  if (words.takes("vmap"))
    return words.peek() === "{"
      ? { kind: "verdicts", key: left, by: verdicts(words) }
      : { kind: "vmap", key: left, map: setName(words.take()) };
  if (words.takes("set")) {
    if (left.kind !== "field" || left.field !== "mark") throw new Error("only the mark is ever set");
    return { kind: "set-mark", value: expression(words) };
  }
  const isNegated = words.takes("!=");
  if (!isNegated) words.takes("==");
  return { kind: "match", left, isNegated, right: operand(words) };
}

/** `{ new : jump untranslated, invalid : drop }` */
function verdicts(words: Words): ReadonlyMap<string, string> {
  const by = new Map<string, string>();
  words.expect("{");
  while (!words.takes("}")) {
    const value = plain(words.take());
    words.expect(":");
    const verdict = words.take();
    by.set(value, ["jump", "goto"].includes(verdict) ? `${verdict} ${words.take()}` : verdict);
    words.takes(",");
  }
  return by;
}

function operand(words: Words): Operand {
  const first = words.take();
  if (first.startsWith("@")) return { kind: "set", set: setName(first) };
  if (first !== "{") {
    const listed = [plain(first)];
    while (words.takes(",")) listed.push(plain(words.take()));
    return { kind: "words", words: listed };
  }
  const list: string[] = [];
  while (!words.takes("}")) {
    list.push(plain(words.take()));
    words.takes(",");
  }
  return { kind: "words", words: list };
}

/** A value, not a word of the language that has strayed here. */
function plain(word: string): string {
  if (
    /^(?:"[^"]*"|[0-9a-f:.]+(?:\/\d+)?|0x[0-9a-f]+|tcp|udp|sctp|new|established|related|invalid|dnat|snat|local)$/.test(
      word,
    )
  )
    return word.replaceAll('"', "");
  throw new Error(`no meaning for the value "${word}"`);
}

function setName(word: string): string {
  if (!/^@[\w-]+$/.test(word)) throw new Error(`no meaning for "${word}" where a set belongs`);
  return word.slice(1);
}

function expression(words: Words): Expression {
  const parts = [term(words)];
  while (words.takes(".")) parts.push(term(words));
  const [first] = parts;
  if (!first) throw new Error("broken invariant: an expression has a part");
  const key = parts.length === 1 ? first : { kind: "joined" as const, parts };
  return words.takes("map") ? { kind: "mapped", key, map: setName(words.take()) } : key;
}

function term(words: Words): Expression {
  const left = primary(words);
  const op = words.peek();
  if (op !== "&" && op !== "|" && op !== "^") return left;
  words.take();
  return { kind: "bits", op, left, right: numberOf(words) };
}

const FIELDS: readonly (readonly [words: readonly string[], field: Field])[] = [
  [["ip", "saddr"], "saddr"],
  [["ip6", "saddr"], "saddr"],
  [["ip", "daddr"], "daddr"],
  [["ip6", "daddr"], "daddr"],
  [["meta", "l4proto"], "l4proto"],
  [["meta", "mark"], "mark"],
  [["meta", "iifname"], "iifname"],
  [["iifname"], "iifname"],
  [["th", "sport"], "sport"],
  [["th", "dport"], "dport"],
  [["ct", "state"], "ct state"],
  [["ct", "status"], "ct status"],
  [["ct", "direction"], "ct direction"],
  [["meta", "nfproto"], "nfproto"],
  [["fib", "saddr", "type"], "saddr type"],
  [["fib", "daddr", "type"], "daddr type"],
];

function primary(words: Words): Expression {
  for (const [spelling, field] of FIELDS) if (words.takes(...spelling)) return { kind: "field", field };
  if (words.takes("numgen", "random", "mod")) return { kind: "random", below: numberOf(words) };
  if (words.takes("jhash")) return hash(words);
  if (/^(?:0x[0-9a-f]+|\d+)$/.test(words.peek())) return { kind: "literal", value: canonical(words.take()) };
  throw new Error(`no meaning for "${words.peek()}"`);
}

function hash(words: Words): Expression {
  const of = primary(words);
  words.expect("mod");
  const below = numberOf(words);
  words.expect("seed");
  return { kind: "hash", of, below, seed: numberOf(words) };
}

function numberOf(words: Words): number {
  const number = Number(words.take());
  if (!Number.isSafeInteger(number)) throw new Error("a number belongs here");
  return number;
}
