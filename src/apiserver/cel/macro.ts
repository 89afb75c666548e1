import type { Call, Expr } from "./ast.ts";
import type { Compiler } from "./compile.ts";
import { fieldType } from "./compile.ts";
import { NO_OVERLOAD, runtimeFault } from "./fault.ts";
import { fold, isFold } from "./fold.ts";
import type { Compiled, Frame, Scope } from "./frame.ts";
import { qualified } from "./qualify.ts";
import { BOOL, DYN, optionalOf, showType } from "./types.ts";
import { CelMap, Optional } from "./value.ts";

/** What a macro call means; undefined when the call is none. */
export function compileMacro(compiler: Compiler, call: Call, scope: Scope): Compiled | undefined {
  const { name, target, args } = call;
  if (target === undefined)
    return name === "has" && args.length === 1 ? has(compiler, call, scope) : undefined;
  if ((name === "optMap" || name === "optFlatMap") && args.length === 2)
    return optional(compiler, { target, name, args }, scope);
  return isFold(name, args.length) ? fold(compiler, { target, name, args, at: call.at }, scope) : undefined;
}

/** The name that a macro binds, when the argument is nothing but one. */
export function boundName(compiler: Compiler, arg: Expr | undefined): string {
  if (arg?.kind === "ident") return arg.name;
  compiler.wrong(arg?.at ?? 0, "argument is not an identifier");
  return "";
}

function has(compiler: Compiler, call: Call, scope: Scope): Compiled {
  const [arg] = call.args;
  if (arg?.kind !== "select") return compiler.wrong(arg?.at ?? call.at, "invalid argument to has() macro");
  const operand = compiler.compile(arg.operand, scope);
  const { field } = arg;
  const found = fieldType(operand.type.kind === "optional" ? operand.type.of : operand.type, field);
  if ("problem" in found) return compiler.wrong(arg.at, found.problem);
  const run = (frame: Frame) => {
    frame.meter.spend(1);
    const value = operand.run(frame);
    const inner = value instanceof Optional ? value.value : value;
    if (inner === undefined) return false;
    return inner instanceof CelMap ? inner.has(field) : qualified(inner, field) !== undefined;
  };
  return { type: BOOL, run };
}

function optional(
  compiler: Compiler,
  { target, name, args }: { target: Expr; name: string; args: readonly Expr[] },
  scope: Scope,
): Compiled {
  const operand = compiler.compile(target, scope);
  const { type } = operand;
  if (type.kind !== "optional" && type.kind !== "dyn")
    return compiler.wrong(target.at, `expected type 'optional_type(dyn)' but found '${showType(type)}'`);
  const inner = scope.bind(boundName(compiler, args[0]), type.kind === "optional" ? type.of : DYN);
  const [, expr] = args;
  if (expr === undefined) throw new Error("broken invariant: optMap has two arguments");
  const body = compiler.compile(expr, inner);
  const isFlat = name === "optFlatMap";
  const run = (frame: Frame) => {
    const value = operand.run(frame);
    if (!(value instanceof Optional)) throw runtimeFault(NO_OVERLOAD);
    if (value.value === undefined) return value;
    frame.slots[inner.slot] = value.value;
    const answer = body.run(frame);
    return isFlat ? answer : new Optional(answer);
  };
  return { type: isFlat ? body.type : optionalOf(body.type), run };
}
