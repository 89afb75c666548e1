import { RE2JS } from "re2js";
import type { Expr } from "./ast.ts";
import type { Compiler } from "./compile.ts";
import { CelFault } from "./fault.ts";
import type { Compiled, Frame } from "./frame.ts";
import { Budget, Meter } from "./meter.ts";

/** A call whose arguments are compiled and whose overloads are found. */
interface Application {
  readonly name: string;
  readonly args: readonly Expr[];
  readonly compiled: readonly Compiled[];
  readonly made: Compiled;
}

const READERS = new Set(["timestamp", "duration"]);
const CONVERSIONS = new Set("bool bytes double dyn duration int string timestamp type uint".split(" "));
const FOUND_BY_PATTERN = new Set(["find", "findAll"]);
const TRIAL_BUDGET = 10_000_000;

/** Notes a literal that its function cannot read: it is wrong before it is run. Undefined when there is nothing to say. */
export function tryLiteral(
  compiler: Compiler,
  { name, args, compiled, made }: Application,
): Compiled | undefined {
  const [first] = args;
  const last = args.at(-1);
  if (READERS.has(name) && first?.kind === "literal" && args.length === 1)
    return outcome(made) instanceof CelFault
      ? compiler.wrong(first.at, `invalid ${name} argument`)
      : undefined;
  const pattern = compiled[1]?.constant;
  if (last === undefined || typeof pattern !== "string" || isPattern(pattern)) return undefined;
  if (name === "matches" && last.kind === "literal")
    return compiler.wrong(last.at, "invalid matches argument");
  if (name === "matches" || FOUND_BY_PATTERN.has(name)) compiler.cannotStart(patternProblem(pattern) ?? "");
  return undefined;
}

/** A conversion of something known is done at once; one that cannot be done keeps the whole expression from starting. */
export function tryConversion(
  compiler: Compiler,
  { name, compiled, made }: Application,
): Compiled | undefined {
  const [argument] = compiled;
  if (!CONVERSIONS.has(name) || compiled.length !== 1 || argument?.constant === undefined) return undefined;
  const known = outcome(made);
  if (known instanceof CelFault) {
    compiler.cannotStart(known.message);
    return undefined;
  }
  return { ...made, constant: known };
}

function outcome({ run }: Compiled): ReturnType<Compiled["run"]> | CelFault {
  const frame: Frame = { slots: [], meter: new Meter(new Budget(TRIAL_BUDGET)), read: () => null };
  try {
    return run(frame);
  } catch (error) {
    if (error instanceof CelFault) return error;
    throw error;
  }
}

function isPattern(text: string): boolean {
  return patternProblem(text) === undefined;
}

function patternProblem(text: string): string | undefined {
  try {
    RE2JS.compile(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
