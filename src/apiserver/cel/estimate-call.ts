import type { Expr } from "./ast.ts";
import { exactly, plus, type Range, scaled, times, UNBOUNDED } from "./range.ts";
import type { Type } from "./types.ts";

/** A call's receiver or argument. */
export interface Node {
  readonly expr: Expr;
  readonly type: Type | undefined;
  readonly size: Range;
  /** How large its elements may be. */
  readonly elements: Range;
}

export interface CallCost {
  readonly cost: Range;
  /** How large the answer may be. */
  readonly size?: Range | undefined;
}

const PER_CHARACTER = 0.1;
const PER_PATTERN_CHARACTER = 0.25;
const FORMAT_PATTERN = 128;
const LIST_COST = 10;
const ONE: CallCost = { cost: exactly(1) };

type Estimate = (target: Node | undefined, args: readonly Node[]) => CallCost | undefined;

const walked = (node: Node | undefined, factor = PER_CHARACTER): CallCost | undefined =>
  node && { cost: scaled(node.size, factor) };
const same = (node: Node | undefined): CallCost | undefined =>
  node && { cost: scaled(node.size, PER_CHARACTER), size: node.size };
const first: Estimate = (_target, [arg]) => walked(arg);
const compared: Estimate = (_target, [a, b]) => {
  if (!a || !b) return undefined;
  const most = Math.min(a.size.max, b.size.max);
  return { cost: scaled({ min: most > 0 ? 1 : 0, max: most }, PER_CHARACTER) };
};
const ordered: Estimate = (target, args) =>
  args.some(({ type }) => type === undefined || ["string", "bytes", "dyn"].includes(type.kind))
    ? compared(target, args)
    : undefined;
const patterned = (text: Node | undefined, pattern: Node | undefined): CallCost | undefined =>
  text &&
  pattern && {
    cost: times(
      scaled(plus(text.size, exactly(1)), PER_CHARACTER),
      scaled(pattern.size, PER_PATTERN_CHARACTER),
    ),
  };
const found: Estimate = (target, [pattern]) => {
  const cost = patterned(target, pattern);
  return cost && target && { ...cost, size: { min: 0, max: target.size.max } };
};
const listed: Estimate = (target) => {
  if (target?.type?.kind !== "list") return walked(target);
  const { kind } = target.type.of;
  const isText = kind === "string" || kind === "bytes";
  const each = isText ? plus(exactly(1), scaled(target.elements, PER_CHARACTER)) : exactly(1);
  return { cost: times(target.size, each) };
};
const added: Estimate = (_target, [a, b]) => {
  if (!a || !b) return undefined;
  const size = plus(a.size, b.size);
  const kinds = [a.type?.kind, b.type?.kind];
  if (kinds.includes("list")) return { cost: exactly(1), size };
  if (kinds.some((kind) => kind === "string" || kind === "bytes" || kind === "dyn"))
    return { cost: scaled(size, PER_CHARACTER), size };
  return undefined;
};
const split: Estimate = (target, [, limit]) => {
  if (!target) return undefined;
  const given = limit?.expr.kind === "literal" ? limit.expr.value : undefined;
  const max = typeof given === "bigint" && given >= 0n ? Number(given) : target.size.max;
  return { cost: scaled(target.size, 2 * PER_CHARACTER), size: { min: 0, max } };
};
const joinedText: Estimate = (target, [separator]) => {
  if (!target) return undefined;
  const between = { min: Math.max(0, target.size.min - 1), max: Math.max(0, target.size.max - 1) };
  const size = plus(
    times(target.size, target.elements),
    separator ? times(separator.size, between) : exactly(0),
  );
  return { cost: scaled(size, PER_CHARACTER), size };
};
const replaced: Estimate = (target, [from, to]) => {
  if (!target || !from || !to) return undefined;
  const { size: text } = target;
  const max =
    from.size.min === 0
      ? (text.max + 1) * to.size.max + text.max
      : to.size.max <= from.size.min
        ? text.max
        : Math.ceil(text.max / from.size.min) * to.size.max;
  return { cost: scaled(text, 2 * PER_CHARACTER), size: { min: 0, max: Math.min(max, UNBOUNDED) } };
};
const contained: Estimate = (target, [part]) =>
  target && part && { cost: times(scaled(target.size, PER_CHARACTER), scaled(part.size, PER_CHARACTER)) };
const inAddresses: Estimate = (_target, [arg]) =>
  arg && {
    cost: plus(
      { min: 1, max: 4 },
      arg.type?.kind === "string" ? scaled(arg.size, PER_CHARACTER) : exactly(0),
    ),
  };

/** A call that makes a list. */
const made = (size: Range, factor: number): CallCost => ({
  cost: plus(scaled(size, factor), exactly(LIST_COST + 1)),
  size,
});
const sliced: Estimate = (target, [from, to]) => {
  if (!target || !from || !to) return undefined;
  return made(exactly(Math.max(0, whole(to, target.size.max) - whole(from, 0))), 1);
};
const sorted: Estimate = (target) => {
  if (target?.type?.kind !== "list") return undefined;
  const { kind } = target.type.of;
  const isText = kind === "string" || kind === "bytes";
  return made(times(target.size, target.size), isText ? 2 + PER_CHARACTER : 2);
};
const asSets =
  (factor: number): Estimate =>
  (_target, [a, b]) =>
    a && b && { cost: plus(scaled(times(a.size, b.size), factor), exactly(1)) };

/** A literal's number. */
function whole({ expr }: Node, otherwise: number): number {
  return expr.kind === "literal" && typeof expr.value === "bigint" ? Number(expr.value) : otherwise;
}

const ESTIMATES: Readonly<Record<string, Estimate>> = {
  "_+_": added,
  "_==_": compared,
  "_!=_": compared,
  "_<_": ordered,
  "_<=_": ordered,
  "_>_": ordered,
  "_>=_": ordered,
  "@in": (_target, [, list]) => (list?.type?.kind === "map" ? undefined : walked(list, 1)),
  matches: (target, args) => (target ? patterned(target, args[0]) : undefined),
  find: found,
  findAll: found,
  contains: contained,
  startsWith: first,
  endsWith: first,
  isSorted: listed,
  sum: listed,
  min: listed,
  max: listed,
  indexOf: listed,
  lastIndexOf: listed,
  lowerAscii: same,
  upperAscii: same,
  substring: same,
  trim: same,
  url: (_target, [arg]) => same(arg),
  bytes: (_target, [arg]) => walked(arg),
  format: (target) => walked(target),
  "strings.quote": (_target, [arg]) =>
    arg && { cost: scaled(arg.size, PER_CHARACTER), size: plus(arg.size, arg.size, exactly(2)) },
  replace: replaced,
  split,
  join: joinedText,
  slice: sliced,
  reverse: (target) => target && made(target.size, 1),
  flatten: (target, [depth]) => target && made(target.size, depth ? whole(depth, UNBOUNDED) : 1),
  distinct: (target) => target && made(times(target.size, target.size), 2),
  sort: sorted,
  "lists.range": (_target, [count]) => count && made(exactly(whole(count, UNBOUNDED)), 1),
  "sets.contains": asSets(1),
  "sets.intersects": asSets(1),
  "sets.equivalent": asSets(2),
  cidr: first,
  isIP: first,
  isCIDR: first,
  ip: (target, args) => (target ? undefined : first(target, args)),
  "ip.isCanonical": (_target, [arg]) => walked(arg, 2 * PER_CHARACTER),
  containsIP: inAddresses,
  containsCIDR: inAddresses,
  quantity: first,
  isQuantity: first,
  semver: first,
  isSemver: first,
  validate: (_target, [arg]) =>
    arg && { cost: scaled(scaled(arg.size, PER_CHARACTER), FORMAT_PATTERN * PER_PATTERN_CHARACTER) },
};

/** What a call costs beyond its receiver and arguments: one step, unless it is known to walk over something. */
export function callCost(name: string, target: Node | undefined, args: readonly Node[]): CallCost {
  const estimate = Object.hasOwn(ESTIMATES, name) ? ESTIMATES[name] : undefined;
  return estimate?.(target, args) ?? ONE;
}
