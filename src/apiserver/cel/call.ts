import { type Call, dottedName, type Expr } from "./ast.ts";
import type { Compiler } from "./compile.ts";
import { dispatch, type Overload } from "./declare.ts";
import { CelFault, NO_OVERLOAD, runtimeFault } from "./fault.ts";
import { tryConversion, tryLiteral } from "./fixed.ts";
import { checkFormat } from "./format-check.ts";
import type { Compiled, Frame, Scope } from "./frame.ts";
import { noOverloadFor } from "./no-overload.ts";
import { keyShown, qualified } from "./qualify.ts";
import { assign, BOOL, DYN, join, showType, substitute, type Type } from "./types.ts";
import { isList, Optional, type Value } from "./value.ts";

/** A call of an operator, a function (`isIP(x)`, `math.greatest(1, 2)`) or a member (`x.size()`). */
export function compileCall(compiler: Compiler, call: Call, scope: Scope): Compiled {
  switch (call.name) {
    case "_&&_":
      return logic(compiler, call, scope, false);
    case "_||_":
      return logic(compiler, call, scope, true);
    case "_?_:_":
      return conditional(compiler, call, scope);
    default:
      return functionCall(compiler, call, scope);
  }
}

function functionCall(compiler: Compiler, call: Call, scope: Scope): Compiled {
  const { name, isMember, args } = callee(compiler, call, scope);
  const compileArgs = () => args.map((arg) => compiler.compile(arg, scope));
  const compiled = name === "format" ? compiler.mixed(compileArgs) : compileArgs();
  const known = compiler.environment.functions.get(name);
  if (known === undefined)
    return compiler.wrong(call.at, `undeclared reference to '${name}' (in container '')`);
  const found = resolve(
    known.filter((overload) => overload.isMember === isMember),
    compiled.map(({ type }) => type),
  );
  if (found === undefined)
    return noOverload(compiler, call, { name, isMember, types: compiled.map(({ type }) => type) });
  const { overloads, type } = found;
  const made = { type, run: runner({ name, overloads }, compiled) };
  const application = { name, args, compiled, made };
  if (name === "format") checkFormat(compiler, call, compiled);
  return tryLiteral(compiler, application) ?? tryConversion(compiler, application) ?? made;
}

/** What is called, with the receiver among the arguments. */
function callee(
  compiler: Compiler,
  call: Call,
  scope: Scope,
): { readonly name: string; readonly isMember: boolean; readonly args: readonly Expr[] } {
  const { target, name, args } = call;
  if (target === undefined) return { name, isMember: false, args };
  const path = dottedName(target);
  const root = path?.split(".")[0] ?? "";
  const qualified = `${path}.${name}`;
  if (path !== undefined && scope.find(root) === undefined && compiler.environment.functions.has(qualified))
    return { name: qualified, isMember: false, args };
  return { name, isMember: true, args: [target, ...args] };
}

interface Resolved {
  readonly overloads: readonly Overload[];
  readonly type: Type;
}

/** The overloads that these types may mean, and the type of the answer. */
export function resolve(known: readonly Overload[], types: readonly Type[]): Resolved | undefined {
  const overloads: Overload[] = [];
  let type: Type | undefined;
  for (const overload of known) {
    const bound = new Map<string, Type>();
    const fits =
      overload.params.length === types.length &&
      overload.params.every((param, i) => assign(param, types[i] ?? DYN, bound));
    if (!fits) continue;
    overloads.push(overload);
    const result = substitute(overload.result, bound);
    type = type === undefined || showType(type) === showType(result) ? (type ?? result) : DYN;
  }
  return type === undefined ? undefined : { overloads, type };
}

function noOverload(
  compiler: Compiler,
  call: Call,
  { name, isMember, types }: { name: string; isMember: boolean; types: readonly Type[] },
): Compiled {
  const shown = types.map(showType);
  const applied = isMember ? `${shown[0]}.(${shown.slice(1).join(", ")})` : `(${shown.join(", ")})`;
  return compiler.wrong(call.at, `found no matching overload for '${name}' applied to '${applied}'`);
}

interface Callee {
  readonly name: string;
  readonly overloads: readonly Overload[];
}

function runner(callee: Callee, args: readonly Compiled[]): (frame: Frame) => Value {
  const { name, overloads } = callee;
  if (name === "_[_]" || name === "_[?_]") return indexer(args, name === "_[?_]");
  return (frame) => {
    const values = args.map((arg) => arg.run(frame));
    const answer = dispatch(overloads, values, frame.meter);
    if (answer === undefined) throw runtimeFault(noOverloadFor(name, values));
    return answer;
  };
}

/** `a[b]` and `a[?b]`. What is found through an optional is an optional. */
function indexer(args: readonly Compiled[], isOptional: boolean): (frame: Frame) => Value {
  const [operand, index] = args;
  if (operand === undefined || index === undefined)
    throw new Error("broken invariant: an index has two sides");
  return (frame) => {
    frame.meter.spend(1);
    const [value, key] = [operand.run(frame), index.run(frame)];
    const inner = value instanceof Optional ? value.value : value;
    const found = inner === undefined ? undefined : qualified(inner, key);
    if (isOptional || value instanceof Optional) return new Optional(found);
    if (found !== undefined) return found;
    throw runtimeFault(
      isList(value) ? `index out of bounds: ${keyShown(key)}` : `no such key: ${keyShown(key)}`,
    );
  };
}

/** `&&` and `||`: the deciding side decides, even when the other one cannot be evaluated. */
function logic(compiler: Compiler, call: Call, scope: Scope, decisive: boolean): Compiled {
  const [left, right] = call.args.map((arg) => compiler.compile(arg, scope));
  if (left === undefined || right === undefined) throw new Error("broken invariant: logic has two sides");
  let isSound = true;
  for (const [i, { type }] of [left, right].entries())
    if (!isBool(type)) {
      isSound = false;
      compiler.wrong(call.args[i]?.at ?? call.at, `expected type 'bool' but found '${showType(type)}'`);
    }
  if (!isSound) return compiler.unknown();
  const run = (frame: Frame) => {
    const first = attempt(left, frame);
    if (first === decisive) return decisive;
    const second = attempt(right, frame);
    if (second === decisive) return decisive;
    if (first instanceof CelFault) throw first;
    if (second instanceof CelFault) throw second;
    return !decisive;
  };
  return { type: BOOL, run };
}

export function isBool(type: Type): boolean {
  return type.kind === "bool" || type.kind === "dyn";
}

/** What a condition says, or why it says nothing. A spent budget is not excused. */
export function attempt(condition: Compiled, frame: Frame): boolean | CelFault {
  try {
    const value = condition.run(frame);
    return typeof value === "boolean" ? value : runtimeFault(NO_OVERLOAD);
  } catch (error) {
    if (error instanceof CelFault && error.code === "runtime") return error;
    throw error;
  }
}

function conditional(compiler: Compiler, call: Call, scope: Scope): Compiled {
  const [condition, yes, no] = call.args.map((arg) => compiler.compile(arg, scope));
  if (!condition || !yes || !no) throw new Error("broken invariant: a condition has two branches");
  const type = join(yes.type, no.type);
  if (type === undefined || !isBool(condition.type))
    return noOverload(compiler, call, {
      name: call.name,
      isMember: false,
      types: [condition.type, yes.type, no.type],
    });
  const run = (frame: Frame) => {
    const said = condition.run(frame);
    if (typeof said !== "boolean") throw runtimeFault(NO_OVERLOAD);
    return said ? yes.run(frame) : no.run(frame);
  };
  return { type, run };
}
