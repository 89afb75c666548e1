import { type Call, dottedName, type Expr } from "./ast.ts";
import type { Compiler } from "./compile.ts";
import { dispatch, type Overload } from "./declare.ts";
import { CelFault, NO_OVERLOAD, runtimeFault } from "./fault.ts";
import type { Compiled, Frame, Scope } from "./frame.ts";
import { Budget, Meter } from "./meter.ts";
import { assign, BOOL, DYN, join, showType, substitute, type Type } from "./types.ts";
import type { Value } from "./value.ts";

/** Functions whose literal arguments are tried while compiling. */
const CHECKED_ARGUMENTS = new Set(["matches", "timestamp", "duration"]);

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
  const run = runner(overloads, compiled);
  if (CHECKED_ARGUMENTS.has(name)) tryLiteral(compiler, { name, args, compiled, run });
  return { type, run };
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

function runner(overloads: readonly Overload[], args: readonly Compiled[]): (frame: Frame) => Value {
  return (frame) => {
    const values = args.map((arg) => arg.run(frame));
    const answer = dispatch(overloads, values, frame.meter);
    if (answer === undefined) throw runtimeFault(NO_OVERLOAD);
    return answer;
  };
}

/** A literal that its function cannot read is wrong before it is run. */
function tryLiteral(
  compiler: Compiler,
  {
    name,
    args,
    compiled,
    run,
  }: { name: string; args: readonly Expr[]; compiled: readonly Compiled[]; run: (frame: Frame) => Value },
): void {
  const last = args.at(-1);
  if (last?.kind !== "literal" || typeof last.value !== "string") return;
  const isAlone = args.length === 1;
  const frame: Frame = { slots: [], meter: new Meter(new Budget(10_000_000)), read: () => null };
  try {
    if (isAlone) run(frame);
    else
      runner(
        resolve(
          compiler.environment.functions.get(name) ?? [],
          compiled.map(({ type }) => type),
        )?.overloads ?? [],
        [{ type: DYN, run: () => "" }, compiled.at(-1) ?? { type: DYN, run: () => "" }],
      )(frame);
  } catch (error) {
    if (!(error instanceof CelFault)) throw error;
    compiler.wrong(last.at, `invalid ${name} argument`);
  }
}

/** `&&` and `||`: the deciding side decides, even when the other one cannot be evaluated. */
function logic(compiler: Compiler, call: Call, scope: Scope, decisive: boolean): Compiled {
  const [left, right] = call.args.map((arg) => compiler.compile(arg, scope));
  if (left === undefined || right === undefined) throw new Error("broken invariant: logic has two sides");
  const types = [left.type, right.type];
  if (!types.every(isBool)) return noOverload(compiler, call, { name: call.name, isMember: false, types });
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
