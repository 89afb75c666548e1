import { type Call, dottedName, type Expr, type Select } from "./ast.ts";
import { compileCall } from "./call.ts";
import { compileList, compileMap, compileStruct } from "./construct.ts";
import { parseType } from "./declare.ts";
import type { Environment } from "./environment.ts";
import { type Issue, runtimeFault } from "./fault.ts";
import type { Compiled, Frame, Scope } from "./frame.ts";
import { compileMacro } from "./macro.ts";
import { qualified } from "./qualify.ts";
import { DYN, optionalOf, showType, type Type, typeOf } from "./types.ts";
import { Optional, TypeValue, type Value } from "./value.ts";

/** Types that an expression may name, with what they are the types of. */
const NAMED_TYPES: ReadonlyMap<string, Type> = new Map([
  ..."bool int uint double string bytes".split(" ").map((name) => [name, parseType(name)] as const),
  ["list", parseType("list(dyn)")],
  ["map", parseType("map(dyn, dyn)")],
  ["null_type", parseType("null")],
  ["type", typeOf(DYN)],
  ["optional_type", optionalOf(DYN)],
  ["google.protobuf.Timestamp", parseType("timestamp")],
  ["google.protobuf.Duration", parseType("duration")],
  ...["net.IP", "net.CIDR", "kubernetes.URL", "kubernetes.Quantity", "kubernetes.Semver"].map(
    (name) => [name, parseType(name)] as const,
  ),
]);

/** Turns a tree into something that runs, checking types on the way; collects everything that is wrong. */
export class Compiler {
  readonly environment: Environment;
  readonly issues: Issue[] = [];
  /** The environment's variables that the expression reads. */
  readonly uses = new Set<string>();
  /** What every node of the tree has been found to be. */
  readonly types = new Map<Expr, Type>();
  /** Why a sound expression cannot be made to run. */
  obstacle: string | undefined;
  #mixing = 0;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  compile(expr: Expr, scope: Scope): Compiled {
    const compiled = this.#compile(expr, scope);
    this.types.set(expr, compiled.type);
    return compiled;
  }

  #compile(expr: Expr, scope: Scope): Compiled {
    switch (expr.kind) {
      case "literal": {
        return constantOf(expr.value, expr.type);
      }
      case "ident":
        return this.#ident(expr.name, expr.at, scope);
      case "select":
        return this.#select(expr, scope);
      case "call":
        return this.#call(expr, scope);
      case "list":
        return compileList(this, expr, scope);
      case "map":
        return compileMap(this, expr, scope);
      case "struct":
        return compileStruct(this, expr, scope);
      default:
        return expr satisfies never;
    }
  }

  /** Whether elements of different types may stand in one list here. */
  get mayMix(): boolean {
    return this.#mixing > 0;
  }

  /** Compiles what `format` is given: its list is of anything. */
  mixed<T>(work: () => T): T {
    this.#mixing++;
    try {
      return work();
    } finally {
      this.#mixing--;
    }
  }

  /** Notes what is wrong; the result goes with everything, so that it is told once. */
  wrong(at: number, message: string): Compiled {
    this.issues.push({ at, message });
    return {
      type: DYN,
      run: () => {
        throw runtimeFault(message);
      },
    };
  }

  /** What goes with everything, where something wrong has been noted already. */
  unknown(): Compiled {
    return { type: DYN, run: () => null };
  }

  /** Notes that the expression is right but can never be run. */
  cannotStart(why: string): void {
    this.obstacle ??= why;
  }

  #ident(name: string, at: number, scope: Scope): Compiled {
    const local = scope.find(name);
    if (local !== undefined) return localOf(local.slot, local.type);
    return this.#global(name) ?? this.wrong(at, `undeclared reference to '${name}' (in container '')`);
  }

  #global(name: string): Compiled | undefined {
    const type = this.environment.variables.get(name);
    if (type !== undefined) {
      this.uses.add(name);
      return { type, run: (frame) => charged(frame, frame.read(name)) };
    }
    const named = NAMED_TYPES.get(name);
    return named === undefined ? undefined : constantOf(new TypeValue(name), typeOf(named));
  }

  #call(expr: Call, scope: Scope): Compiled {
    return compileMacro(this, expr, scope) ?? compileCall(this, expr, scope);
  }

  #select(expr: Select, scope: Scope): Compiled {
    const name = dottedName(expr);
    const root = name?.slice(0, name.indexOf("."));
    if (name !== undefined && root !== undefined && scope.find(root) === undefined) {
      const variable = this.#global(name);
      if (variable !== undefined) return variable;
    }
    const operand = this.compile(expr.operand, scope);
    const { field, isOptional } = expr;
    const inner = operand.type.kind === "optional" ? operand.type.of : operand.type;
    const found = fieldType(inner, field);
    if ("problem" in found) return this.wrong(expr.at, found.problem);
    const run = selector(operand, field, isOptional);
    return { type: isOptional || inner !== operand.type ? optionalOf(found.type) : found.type, run };
  }
}

/** The value that a macro has bound. */
export function localOf(slot: number, type: Type): Compiled {
  return { type, run: (frame) => charged(frame, frame.slots[slot] ?? null) };
}

/** What is known before anything runs. */
export function constantOf(value: Value, type: Type): Compiled {
  return { type, run: () => value, constant: value };
}

function charged(frame: Frame, value: Value): Value {
  frame.meter.spend(1);
  return value;
}

/** The type of `type`'s field. */
export function fieldType(type: Type, field: string): { readonly type: Type } | { readonly problem: string } {
  switch (type.kind) {
    case "dyn":
      return { type: DYN };
    case "map":
      return { type: type.value };
    case "object": {
      const known = type.field(field);
      return known === undefined ? { problem: `undefined field '${field}'` } : { type: known.type };
    }
    case "opaque":
      return { problem: `unexpected failed resolution of '${type.name}'` };
    default:
      return { problem: `type '${showType(type)}' does not support field selection` };
  }
}

function selector(operand: Compiled, field: string, isOptional: boolean): (frame: Frame) => Value {
  return (frame) => {
    frame.meter.spend(1);
    const value = operand.run(frame);
    if (value instanceof Optional) return optionalField(value.value, field);
    return isOptional ? optionalField(value, field) : fieldOf(value, field);
  };
}

function optionalField(value: Value | undefined, field: string): Value {
  return new Optional(value === undefined ? undefined : qualified(value, field));
}

function fieldOf(value: Value, field: string): Value {
  const found = qualified(value, field);
  if (found === undefined) throw runtimeFault(`no such key: ${field}`);
  return found;
}
