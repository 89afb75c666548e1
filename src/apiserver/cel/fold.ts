import type { Expr } from "./ast.ts";
import { attempt, isBool } from "./call.ts";
import type { Compiler } from "./compile.ts";
import { CelFault, NO_OVERLOAD, runtimeFault } from "./fault.ts";
import type { Compiled, Frame, Scope } from "./frame.ts";
import { compareValues } from "./library/compare.ts";
import { boundName } from "./macro.ts";
import { BOOL, DYN, INT, listOf, mapOf, showType, type Type } from "./types.ts";
import { CelMap, goTypeName, isList, MadeMap, type Value } from "./value.ts";

/** How many variables a macro binds when it has so many arguments. */
const VARIABLES: Readonly<Record<string, Readonly<Record<number, 1 | 2>>>> = {
  all: { 2: 1, 3: 2 },
  exists: { 2: 1, 3: 2 },
  exists_one: { 2: 1, 3: 2 },
  existsOne: { 2: 1, 3: 2 },
  filter: { 2: 1 },
  map: { 2: 1, 3: 1 },
  sortBy: { 2: 1 },
  transformList: { 3: 2, 4: 2 },
  transformMap: { 3: 2, 4: 2 },
  transformMapEntry: { 3: 2, 4: 2 },
};
const STEP_COST = 2;

/** How many names a macro binds. */
export function variablesOf(name: string, args: number): 1 | 2 {
  return VARIABLES[name]?.[args] ?? 1;
}

export function isFold(name: string, args: number): boolean {
  return Object.hasOwn(VARIABLES, name) && VARIABLES[name]?.[args] !== undefined;
}

interface Loop {
  /** Calls `visit` for each element, with its variables bound, until it says true. */
  readonly each: (frame: Frame, visit: (first: Value, second: Value) => boolean) => void;
  readonly filter: Compiled | undefined;
  readonly body: Compiled;
  readonly element: Type;
  readonly keyType: Type;
}

/** A macro that goes through a list or a map. */
export function fold(
  compiler: Compiler,
  { target, name, args, at }: { target: Expr; name: string; args: readonly Expr[]; at: number },
  scope: Scope,
): Compiled {
  const count = variablesOf(name, args.length);
  const range = compiler.compile(target, scope);
  const types = variableTypes(range.type, count);
  if (types === undefined)
    return compiler.wrong(
      target.at,
      `expression of type '${showType(range.type)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
    );
  const scopes: Scope[] = [];
  let inner = scope;
  for (let i = 0; i < count; i++) {
    inner = inner.bind(boundName(compiler, args[i]), types[i] ?? DYN);
    scopes.push(inner);
  }
  const rest = args.slice(count).map((arg) => compiler.compile(arg, inner));
  const [body, filter] = [rest.at(-1), rest.length > 1 ? rest[0] : undefined];
  if (body === undefined) throw new Error("broken invariant: a macro has a body");
  const condition = isConditional(name) ? body : filter;
  if (condition !== undefined && !isBool(condition.type)) {
    const conditionAt = args[isConditional(name) ? args.length - 1 : count]?.at ?? at;
    return notBool(compiler, { name, at, conditionAt, condition, result: resultOf(name, types[0], body) });
  }
  if (name === "sortBy" && !isOrdered(body.type)) return notOrdered(compiler, { at, range, body });
  const each = looper(
    range,
    scopes.map(({ slot }) => slot),
  );
  return FOLDS[name]?.({ each, filter, body, element: types[0] ?? DYN, keyType: types[0] ?? DYN }) ?? body;
}

function isConditional(name: string): boolean {
  return name === "all" || name.startsWith("exists") || name === "filter";
}

/** What the loop that a macro stands for builds up. */
function resultOf(name: string, element: Type | undefined, body: Compiled): Type {
  if (name === "filter") return listOf(element ?? DYN);
  return name.toLowerCase() === "existsone" || name === "exists_one" ? INT : listOf(body.type);
}

function notBool(
  compiler: Compiler,
  wrong: { name: string; at: number; conditionAt: number; condition: Compiled; result: Type },
): Compiled {
  const { name, at, conditionAt, condition, result } = wrong;
  const type = showType(condition.type);
  if (name === "all" || name === "exists")
    return compiler.wrong(conditionAt, `expected type 'bool' but found '${type}'`);
  const applied = `(${type}, ${showType(result)}, ${showType(result)})`;
  return compiler.wrong(at, `found no matching overload for '_?_:_' applied to '${applied}'`);
}

const ORDERED = new Set<Type["kind"]>([
  ...(["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes", "dyn"] as const),
]);

function isOrdered({ kind }: Type): boolean {
  return ORDERED.has(kind);
}

function notOrdered(
  compiler: Compiler,
  { at, range, body }: { at: number; range: Compiled; body: Compiled },
): Compiled {
  return compiler.wrong(
    at,
    `found no matching overload for '@sortByAssociatedKeys' applied to '${showType(range.type)}.(list(${showType(body.type)}))'`,
  );
}

function variableTypes(range: Type, count: 1 | 2): readonly Type[] | undefined {
  if (range.kind === "list") return count === 1 ? [range.of] : [INT, range.of];
  if (range.kind === "map") return [range.key, range.value];
  if (range.kind === "dyn") return [DYN, DYN];
  return undefined;
}

function looper(range: Compiled, slots: readonly number[]): Loop["each"] {
  const [first = 0, second] = slots;
  return (frame, visit) => {
    const value = range.run(frame);
    if (isList(value)) {
      for (const [i, item] of value.entries()) {
        frame.meter.spend(STEP_COST);
        frame.slots[first] = second === undefined ? item : BigInt(i);
        if (second !== undefined) frame.slots[second] = item;
        if (visit(second === undefined ? item : BigInt(i), item)) return;
      }
    } else if (value instanceof CelMap) {
      for (const key of value.keys()) {
        frame.meter.spend(STEP_COST);
        frame.slots[first] = key;
        const item = second === undefined ? key : (value.get(key) ?? null);
        if (second !== undefined) frame.slots[second] = item;
        if (visit(key, item)) return;
      }
    } else throw notIterable(value, second !== undefined);
  };
}

function notIterable(value: Value, hasTwo: boolean): Error {
  const name = goTypeName(value);
  return runtimeFault(
    hasTwo ? `unsupported comprehension range type: ${name}` : `got '${name}', expected iterable type`,
  );
}

const FOLDS: Readonly<Record<string, (loop: Loop) => Compiled>> = {
  all: (loop) => decided(loop, false),
  exists: (loop) => decided(loop, true),
  exists_one: one,
  existsOne: one,
  filter: (loop) => listed(loop, { filter: loop.body, body: undefined }, loop.element),
  map: (loop) => listed(loop, loop, loop.body.type),
  transformList: (loop) => listed(loop, loop, loop.body.type),
  transformMap: mapped,
  transformMapEntry: entered,
  sortBy: sorted,
};

/** `all` and `exists`: one element decides; an element that cannot be judged counts only when none does. */
function decided({ each, body }: Loop, decisive: boolean): Compiled {
  const run = (frame: Frame) => {
    let isDecided = false;
    let fault: CelFault | undefined;
    each(frame, () => {
      const said = attempt(body, frame);
      if (said instanceof CelFault) fault ??= said;
      isDecided = said === decisive;
      return isDecided;
    });
    if (isDecided) return decisive;
    if (fault !== undefined) throw fault;
    return !decisive;
  };
  return { type: BOOL, run };
}

function one({ each, body }: Loop): Compiled {
  const run = (frame: Frame) => {
    let count = 0;
    each(frame, () => {
      if (isTrue(body, frame)) count++;
      return false;
    });
    return count === 1;
  };
  return { type: BOOL, run };
}

function isTrue(condition: Compiled, frame: Frame): boolean {
  const said = condition.run(frame);
  if (typeof said !== "boolean") throw runtimeFault(NO_OVERLOAD);
  return said;
}

function listed(
  { each }: Loop,
  { filter, body }: { filter: Compiled | undefined; body: Compiled | undefined },
  of: Type,
): Compiled {
  const run = (frame: Frame) => {
    const out: Value[] = [];
    each(frame, (_first, item) => {
      if (filter === undefined || isTrue(filter, frame))
        out.push(body === undefined ? item : body.run(frame));
      return false;
    });
    return out;
  };
  return { type: listOf(of), run };
}

function mapped({ each, filter, body, keyType }: Loop): Compiled {
  const run = (frame: Frame) => {
    const out = new MadeMap();
    each(frame, (key) => {
      if (filter === undefined || isTrue(filter, frame)) out.set(key, body.run(frame));
      return false;
    });
    return out;
  };
  return { type: mapOf(keyType, body.type), run };
}

function entered({ each, filter, body }: Loop): Compiled {
  const run = (frame: Frame) => {
    const out = new MadeMap();
    each(frame, () => {
      if (filter !== undefined && !isTrue(filter, frame)) return false;
      const entries = body.run(frame);
      if (!(entries instanceof CelMap)) throw runtimeFault(NO_OVERLOAD);
      for (const key of entries.keys())
        if (!out.set(key, entries.get(key) ?? null))
          throw runtimeFault(`insert failed: key ${String(key)} already exists`);
      return false;
    });
    return out;
  };
  return { type: body.type.kind === "map" ? body.type : mapOf(DYN, DYN), run };
}

function sorted({ each, body, element }: Loop): Compiled {
  const run = (frame: Frame) => {
    const pairs: { key: Value; item: Value }[] = [];
    each(frame, (_first, item) => {
      pairs.push({ key: body.run(frame), item });
      return false;
    });
    frame.meter.spend(pairs.length * Math.log2(pairs.length + 1));
    return pairs.sort((a, b) => compareValues(a.key, b.key)).map(({ item }) => item);
  };
  return { type: listOf(element), run };
}
