import type { Meter } from "./meter.ts";
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  NULL,
  opaque,
  optionalOf,
  STRING,
  TIMESTAMP,
  type Type,
  typeOf,
  UINT,
} from "./types.ts";
import {
  CelMap,
  characters,
  Duration,
  isList,
  Opaque,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from "./value.ts";

/** What a function computes. Arguments have the declared types; the meter comes behind them, for work that grows with its input. */
export type Implementation = (...args: never[]) => Value;

/** One way to call a function. */
export interface Overload {
  readonly name: string;
  readonly isMember: boolean;
  readonly params: readonly Type[];
  readonly result: Type;
  readonly run: Implementation;
  readonly fits: readonly ((value: Value) => boolean)[];
  readonly cost: (args: readonly Value[]) => number;
}

/** `flat`: one step whatever the input. Otherwise a step, and a tenth for every character and element it is given. */
export type CostModel = "flat" | "walks";

/** An overload from its signature: `list(T).indexOf(T): int`, `math.greatest(list(int)): int`; a member's first type is what it
 *  is called on. Types: cel's own, `list(T)`, `map(K, V)`, `optional(T)`, one capital letter for a parameter, and names of opaque types. */
export function define(signature: string, run: Implementation, cost: CostModel = "walks"): Overload {
  const found = /^(?:(.+)\.)?([\w.@?]+|[_@!\-?:[\]+*/%<>=&|]+)\((.*)\): (.+)$/.exec(signature);
  if (found === null) throw new Error(`Unreadable signature ${signature}`);
  const [, receiver, name = "", list = "", result = ""] = found;
  const isFunctionOf = receiver !== undefined && isNamespace(receiver);
  const isMember = receiver !== undefined && !isFunctionOf;
  const texts = [...(isMember ? [receiver] : []), ...splitTypes(list)];
  const params = texts.map(parseType);
  return {
    name: isFunctionOf ? `${receiver}.${name}` : name,
    isMember,
    params,
    result: parseType(result),
    run,
    fits: params.map(fitOf),
    cost: cost === "flat" ? () => 1 : walkCost,
  };
}

/** Names before a dot that are a part of the function's name and not a type. */
const NAMESPACES = new Set([
  "math",
  "sets",
  "optional",
  "strings",
  "ip",
  "cidr",
  "semver",
  "format",
  "lists",
  "jsonpatch",
  "base64",
]);

function isNamespace(receiver: string): boolean {
  return NAMESPACES.has(receiver);
}

function walkCost(args: readonly Value[]): number {
  let cost = 1;
  for (const arg of args) {
    if (typeof arg === "string") cost += arg.length / 10;
    else if (isList(arg)) cost += arg.length / 10;
    else if (arg instanceof Uint8Array) cost += arg.length / 10;
  }
  return cost;
}

const PLAIN: Readonly<Record<string, Type>> = {
  bool: BOOL,
  int: INT,
  uint: UINT,
  double: DOUBLE,
  string: STRING,
  bytes: BYTES,
  null: NULL,
  dyn: DYN,
  timestamp: TIMESTAMP,
  duration: DURATION,
};

export function parseType(text: string): Type {
  const plain = PLAIN[text];
  if (plain !== undefined) return plain;
  if (/^[A-Z]$/.test(text)) return { kind: "param", name: text };
  const [, maker, inner = ""] = /^(list|map|optional|type)\((.*)\)$/.exec(text) ?? [];
  const [first = "dyn", second = "dyn"] = splitTypes(inner);
  switch (maker) {
    case "list":
      return listOf(parseType(first));
    case "optional":
      return optionalOf(parseType(first));
    case "type":
      return typeOf(parseType(first));
    case "map":
      return mapOf(parseType(first), parseType(second));
    default:
      return opaque(text);
  }
}

/** What stands between the outermost commas. */
function splitTypes(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at <= text.length; at++) {
    const letter = text[at];
    if (letter === "(") depth++;
    else if (letter === ")") depth--;
    else if (depth === 0 && (letter === "," || letter === undefined)) {
      if (at > from) parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  return parts;
}

/** Whether a value is one of a type, as far as it shows without looking into it. */
export function fitOf(type: Type): (value: Value) => boolean {
  switch (type.kind) {
    case "bool":
      return (value) => typeof value === "boolean";
    case "int":
      return (value) => typeof value === "bigint";
    case "double":
      return (value) => typeof value === "number";
    case "string":
      return (value) => typeof value === "string";
    case "null":
      return (value) => value === null;
    case "list":
      return isList;
    case "dyn":
    case "param":
      return () => true;
    case "opaque":
      return (value) => value instanceof Opaque && value.typeName === type.name;
    default:
      return fitOfClass(type.kind);
  }
}

const CLASSES = {
  uint: Uint,
  bytes: Uint8Array,
  timestamp: Timestamp,
  duration: Duration,
  type: TypeValue,
  optional: Optional,
  map: CelMap,
  object: CelMap,
} as const;

function fitOfClass(kind: keyof typeof CLASSES): (value: Value) => boolean {
  const made = CLASSES[kind];
  return (value) => value instanceof made;
}

/** The answer of the first overload that the values fit; undefined when there is none. */
export function dispatch(
  overloads: readonly Overload[],
  args: readonly Value[],
  meter: Meter,
): Value | undefined {
  for (const overload of overloads) {
    if (!overload.fits.every((fits, i) => fits(args[i] ?? null))) continue;
    meter.spend(overload.cost(args));
    return Reflect.apply(overload.run, undefined, [...args, meter]);
  }
  return undefined;
}

/** The cost of walking over text or a list of what is about to be made. */
export function sizeCost(value: string | readonly Value[]): number {
  return (typeof value === "string" ? characters(value) : value.length) / 10;
}
