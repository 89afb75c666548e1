import { type Call, dottedName, type Expr, type Select } from "./ast.ts";
import { callCost, type Node } from "./estimate-call.ts";
import { macroCost } from "./estimate-macro.ts";
import { either, exactly, plus, type Range, UNKNOWN } from "./range.ts";
import { type Sizes, sizesAt } from "./sizes.ts";
import type { Type } from "./types.ts";

/** What an element of a list or map may be as large as. */
export interface Entries {
  readonly key: Range;
  readonly value: Range;
}

interface Local {
  readonly path: readonly string[];
  readonly size: Range | undefined;
  readonly entries: Entries | undefined;
}

const LIST_COST = 10;
const MAP_COST = 30;
const STRUCT_COST = 40;
const COUNTED_ONCE = new Set(["bool", "int", "uint", "double", "timestamp", "duration", "null", "type"]);

/** What an expression may cost at most, told before it has run. `types`: what the compiler has found every node to be.
 *  @see checker/cost.go in cel-go; apiserver/pkg/cel/library/cost.go */
export function estimatedCost(expr: Expr, types: ReadonlyMap<Expr, Type>, root: Sizes): number {
  return new Estimator(types, root).cost(expr).max;
}

export class Estimator {
  readonly types: ReadonlyMap<Expr, Type>;
  readonly #root: Sizes;
  readonly #paths = new Map<Expr, readonly string[]>();
  readonly #sizes = new Map<Expr, Range>();
  readonly #entries = new Map<Expr, Entries>();
  readonly #locals = new Map<string, Local[]>();

  constructor(types: ReadonlyMap<Expr, Type>, root: Sizes) {
    this.types = types;
    this.#root = root;
  }

  cost(expr: Expr): Range {
    switch (expr.kind) {
      case "literal":
        return exactly(0);
      case "ident":
        this.#paths.set(expr, this.#local(expr.name)?.path ?? [expr.name]);
        return exactly(1);
      case "select":
        return this.#select(expr);
      case "call":
        return macroCost(this, expr) ?? this.#call(expr);
      case "list":
        return this.#list(expr);
      case "map":
        return this.#map(expr);
      case "struct":
        return plus(exactly(STRUCT_COST), ...expr.fields.map(({ value }) => this.cost(value)));
      default:
        return expr satisfies never;
    }
  }

  /** The cost of `work` while a name is bound. */
  bound<T>(name: string, local: Local, work: () => T): T {
    const stack = this.#locals.get(name) ?? [];
    this.#locals.set(name, [...stack, local]);
    try {
      return work();
    } finally {
      this.#locals.set(name, stack);
    }
  }

  pathOf(expr: Expr): readonly string[] {
    return this.#paths.get(expr) ?? [];
  }

  entriesOf(expr: Expr): Entries | undefined {
    const known = this.#entries.get(expr);
    return known ?? (expr.kind === "ident" ? this.#local(expr.name)?.entries : undefined);
  }

  keep(expr: Expr, size: Range | undefined, entries?: Entries): void {
    if (size !== undefined) this.#sizes.set(expr, size);
    if (entries !== undefined) this.#entries.set(expr, entries);
  }

  /** How large a value may be; undefined when nobody can tell. */
  sizeOf(expr: Expr): Range | undefined {
    const known = this.#sizes.get(expr) ?? literalSize(expr) ?? this.sizeAt(this.pathOf(expr));
    if (known !== undefined) return known;
    if (COUNTED_ONCE.has(this.types.get(expr)?.kind ?? "")) return exactly(1);
    return expr.kind === "ident" ? this.#local(expr.name)?.size : undefined;
  }

  sizeAt(path: readonly string[]): Range | undefined {
    if (path.length === 0) return undefined;
    const sizes = sizesAt(this.#root, path);
    return sizes === undefined ? undefined : { min: 0, max: sizes.most };
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #select(expr: Select): Range {
    const operand = this.cost(expr.operand);
    if (expr.isOptional) return plus(operand, exactly(1));
    const kind = this.types.get(expr.operand)?.kind;
    this.#paths.set(expr, [...this.pathOf(expr.operand), expr.field]);
    return kind === "map" || kind === "object" ? plus(operand, exactly(1)) : operand;
  }

  #list(expr: Extract<Expr, { kind: "list" }>): Range {
    const costs = expr.items.map(({ value }) => this.cost(value));
    const sizes = expr.items.map(({ value }) => this.sizeOf(value) ?? UNKNOWN);
    this.keep(expr, undefined, { key: exactly(1), value: anyOf(sizes) });
    return plus(exactly(LIST_COST), ...costs);
  }

  #map(expr: Extract<Expr, { kind: "map" }>): Range {
    const costs = expr.entries.flatMap(({ key, value }) => [this.cost(key), this.cost(value)]);
    const key = anyOf(expr.entries.map((entry) => this.sizeOf(entry.key) ?? UNKNOWN));
    const value = anyOf(expr.entries.map((entry) => this.sizeOf(entry.value) ?? UNKNOWN));
    this.keep(expr, undefined, { key, value });
    return plus(exactly(MAP_COST), ...costs);
  }

  #call(expr: Call): Range {
    const isMember = expr.target !== undefined && this.types.has(expr.target);
    const name = isMember || !expr.target ? expr.name : `${dottedName(expr.target)}.${expr.name}`;
    const args = expr.args.map((arg) => ({ cost: this.cost(arg), node: this.#node(arg) }));
    const targetCost = isMember && expr.target ? this.cost(expr.target) : exactly(0);
    const target = isMember && expr.target ? this.#node(expr.target) : undefined;
    const costs = args.map(({ cost }) => cost);
    const [first, second, third] = args;
    if ((name === "_&&_" || name === "_||_") && first && second)
      return { min: first.cost.min, max: plus(first.cost, second.cost).max };
    if (name === "_?_:_" && first && second && third) {
      this.keep(expr, either(second.node.size, third.node.size));
      return plus(first.cost, either(second.cost, third.cost));
    }
    if (name === "dyn" && first) {
      this.keep(expr, this.sizeOf(first.node.expr), this.entriesOf(first.node.expr));
      return plus(first.cost, exactly(1));
    }
    const nodes = args.map(({ node }) => node);
    const { cost, size } = callCost(name, target, nodes);
    this.#keepResult(expr, name, { nodes, size });
    return plus(targetCost, cost, ...costs);
  }

  #keepResult(
    expr: Call,
    name: string,
    { nodes, size }: { readonly nodes: readonly Node[]; readonly size: Range | undefined },
  ): void {
    const [first, second] = nodes.map(({ expr: arg }) => arg);
    if (name === "_[_]" && first) {
      const step = this.types.get(first)?.kind === "map" ? "@values" : "@items";
      this.#paths.set(expr, [...this.pathOf(first), step]);
      this.keep(expr, this.entriesOf(first)?.value);
      return;
    }
    if (name === "_+_" && first && second)
      this.keep(expr, undefined, joined(this.entriesOf(first), this.entriesOf(second)));
    this.keep(expr, size);
  }

  #node(expr: Expr): Node {
    const path = this.pathOf(expr);
    const type = this.types.get(expr);
    const elements = path.length === 0 ? undefined : this.sizeAt([...path, "@items"]);
    return { expr, type, size: this.sizeOf(expr) ?? UNKNOWN, elements: elements ?? UNKNOWN };
  }
}

/** Elements of two lists that are put together. */
export function joined(a: Entries | undefined, b: Entries | undefined): Entries | undefined {
  if (a === undefined || b === undefined) return undefined;
  return { key: either(a.key, b.key), value: either(a.value, b.value) };
}

function anyOf(sizes: readonly Range[]): Range {
  const [first, ...rest] = sizes;
  return first === undefined ? exactly(0) : rest.reduce(either, first);
}

function literalSize(expr: Expr): Range | undefined {
  if (expr.kind === "list") return exactly(expr.items.length);
  if (expr.kind === "map") return exactly(expr.entries.length);
  if (expr.kind !== "literal") return undefined;
  if (typeof expr.value === "string") return exactly([...expr.value].length);
  return expr.value instanceof Uint8Array ? exactly(expr.value.length) : exactly(1);
}
