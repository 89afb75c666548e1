import type { Expr, FieldEntry, ListItem, MapEntry } from "./ast.ts";
import type { Compiler } from "./compile.ts";
import { CelFault, NO_OVERLOAD, runtimeFault } from "./fault.ts";
import type { Compiled, Frame, Part, Scope } from "./frame.ts";
import { Budget, Meter } from "./meter.ts";
import { assign, DYN, join, listOf, mapOf, optionalOf, showType, type Type } from "./types.ts";
import { MadeMap, Optional, type Value } from "./value.ts";

const KNOWN_BUDGET = 10_000_000;
const LIST_COST = 10;
const MAP_COST = 30;
const STRUCT_COST = 40;

type Of<K extends Expr["kind"]> = Extract<Expr, { kind: K }>;

export function compileList(compiler: Compiler, { items }: Of<"list">, scope: Scope): Compiled {
  const parts = items.map((item) => ({ ...item, compiled: itemOf(compiler, item, scope) }));
  const of = joined(
    compiler,
    parts.map(({ compiled, value }) => ({ type: compiled.type, at: value.at })),
  );
  const run = (frame: Frame) => {
    frame.meter.spend(LIST_COST);
    const out: Value[] = [];
    for (const { compiled } of parts) {
      const value = compiled.run(frame);
      if (value !== undefined) out.push(value);
    }
    return out;
  };
  return {
    type: listOf(of),
    run,
    ...knownOf(
      parts.map(({ compiled, isOptional }) => (isOptional ? undefined : compiled)),
      run,
    ),
    items: parts.map(({ compiled, value }) => partOf(compiled, value.at)),
  };
}

export function compileMap(compiler: Compiler, { entries }: Of<"map">, scope: Scope): Compiled {
  const parts = entries.map((entry: MapEntry) => ({
    key: compiler.compile(entry.key, scope),
    value: itemOf(compiler, entry, scope),
    entry,
  }));
  const keyType = joined(
    compiler,
    parts.map(({ key, entry }) => ({ type: key.type, at: entry.key.at })),
  );
  const valueType = joined(
    compiler,
    parts.map(({ value, entry }) => ({ type: value.type, at: entry.value.at })),
  );
  const run = (frame: Frame) => {
    frame.meter.spend(MAP_COST);
    const out = new MadeMap();
    for (const { key, value } of parts) {
      const [name, said] = [key.run(frame), value.run(frame)];
      if (said !== undefined && !out.put(name, said)) throw runtimeFault("unsupported key type");
      if (said === undefined) out.remove(name);
    }
    return out;
  };
  return {
    type: mapOf(keyType, valueType),
    run,
    ...knownOf(
      parts.flatMap(({ key, value, entry }) => [key, entry.isOptional ? undefined : value]),
      run,
    ),
    items: parts.flatMap(({ key, value, entry }) => [
      partOf(key, entry.key.at),
      partOf(value, entry.value.at),
    ]),
  };
}

export function compileStruct(
  compiler: Compiler,
  { name, fields, at }: Of<"struct">,
  scope: Scope,
): Compiled {
  const maker = compiler.environment.struct?.(name);
  if (maker === undefined) return compiler.wrong(at, `undeclared reference to '${name}' (in container '')`);
  const parts = fields.map((field: FieldEntry) => {
    const value = itemOf(compiler, field, scope);
    const wanted = maker.fieldType(field.name);
    if (wanted === undefined) compiler.wrong(field.at, `undefined field '${field.name}'`);
    else if (!assign(wanted, value.type, new Map()))
      compiler.wrong(
        field.at,
        `expected type of field '${field.name}' is '${showType(wanted)}' but provided type is '${showType(value.type)}'`,
      );
    return { name: field.name, value };
  });
  const run = (frame: Frame) => {
    frame.meter.spend(STRUCT_COST);
    const made = new Map<string, Value>();
    for (const part of parts) {
      const value = part.value.run(frame);
      if (value !== undefined) made.set(part.name, value);
    }
    return maker.make(made);
  };
  return { type: maker.type, run };
}

interface Item extends Omit<Compiled, "run"> {
  /** Undefined where an optional item has none. */
  readonly run: (frame: Frame) => Value | undefined;
}

function partOf({ type, items }: Omit<Compiled, "run">, at: number): Part {
  return { type, items, at };
}

/** What is made of known parts only is known itself. */
function knownOf(
  parts: readonly (Omit<Compiled, "run"> | undefined)[],
  run: Compiled["run"],
): Pick<Compiled, "constant"> {
  if (parts.some((part) => part?.constant === undefined)) return {};
  try {
    return { constant: run({ slots: [], meter: new Meter(new Budget(KNOWN_BUDGET)), read: () => null }) };
  } catch (error) {
    if (error instanceof CelFault) return {};
    throw error;
  }
}

function itemOf(compiler: Compiler, { value, isOptional }: ListItem, scope: Scope): Item {
  const compiled = compiler.compile(value, scope);
  if (!isOptional) return compiled;
  const { type } = compiled;
  if (!assign(optionalOf(DYN), type, new Map()))
    compiler.wrong(
      value.at,
      `expected type 'optional_type(${showType(type)})' but found '${showType(type)}'`,
    );
  const run = (frame: Frame) => {
    const found = compiled.run(frame);
    if (!(found instanceof Optional)) throw runtimeFault(NO_OVERLOAD);
    return found.value;
  };
  return { type: type.kind === "optional" ? type.of : DYN, run };
}

/** The one type of all elements. */
function joined(compiler: Compiler, parts: readonly { readonly type: Type; readonly at: number }[]): Type {
  let all: Type | undefined;
  for (const { type, at } of parts) {
    const next: Type | undefined = all === undefined ? type : join(all, type);
    if (next === undefined && compiler.mayMix) return DYN;
    if (next === undefined) {
      compiler.wrong(at, `expected type '${showType(all ?? DYN)}' but found '${showType(type)}'`);
      return DYN;
    }
    all = next;
  }
  return all ?? DYN;
}
