import { Compiler } from "./compile.ts";
import type { Environment } from "./environment.ts";
import { estimatedCost } from "./estimate.ts";
import { CelFault, type Issue, renderIssues, SyntaxIssue } from "./fault.ts";
import { type Frame, Scope } from "./frame.ts";
import { fromJson } from "./json-value.ts";
import { type Budget, CALL_LIMIT, Meter } from "./meter.ts";
import { parse } from "./parse.ts";
import { DYN, showType, type Type } from "./types.ts";
import type { Value } from "./value.ts";

/** What the variables of an environment are: JSON, a value, or how to make one when it is asked for. */
export type Bindings = Readonly<Record<string, unknown>>;

/** A value that is made when an expression first reads it. */
export class Lazy {
  readonly make: (meter: Meter) => unknown;

  constructor(make: (meter: Meter) => unknown) {
    this.make = make;
  }
}

/** An expression that compiled; it can be evaluated any number of times. */
export interface Rule {
  readonly source: string;
  readonly type: Type;
  /** The environment's variables that it reads, such as `oldSelf`. */
  readonly uses: ReadonlySet<string>;
  /** What it may cost at most for values that one request can hold; undefined where the environment knows no sizes. */
  readonly mostCost: number | undefined;
  /** What the expression is for these variables. Its cost is taken from the budget. @throws {CelFault} runtime; cost */
  readonly evaluate: (bindings: Bindings, budget: Budget, callLimit?: number) => Value;
  /** As a part of an evaluation that is under way. */
  readonly evaluateWithin: (bindings: Bindings, meter: Meter) => Value;
}

/** The types that an expression may give: exactly one of them; what may be anything is none. */
export interface Expected {
  readonly types: readonly Type[];
  /** What is said otherwise, where it is not what is said of admission's expressions. */
  readonly otherwise?: string;
}

function misfit(types: readonly Type[], given: Type): string {
  const names = types.map((type) => (type.kind === "null" ? "null_type" : showType(type)));
  const wanted = names.length === 1 ? names[0] : `one of [${names.join(" ")}]`;
  return `must evaluate to ${wanted} but got ${showType(given)}`;
}

/** How the message of an expression begins that is right but cannot be run. */
export const CANNOT_START = "program instantiation failed: ";

/** Reads, checks and prepares an expression. `expects`: what it must give, with the message when it does not.
 *  @throws {CelFault} compile, such as `compilation failed: ERROR: <input>:1:6: undefined field 'x'\n | self.x\n | ....^` */
export function compileRule(source: string, environment: Environment, expects?: Expected): Rule {
  const { type, run, uses, mostCost } = compileSource(source, environment);
  if (expects && !expects.types.some((wanted) => showType(wanted) === showType(type)))
    throw new CelFault("compile", expects.otherwise ?? misfit(expects.types, type));
  const evaluateWithin = (bindings: Bindings, meter: Meter) => run(frameOf(bindings, environment, meter));
  return {
    source,
    type,
    uses,
    mostCost,
    evaluateWithin,
    evaluate: (bindings, budget, callLimit = CALL_LIMIT) => {
      const meter = new Meter(budget, callLimit);
      try {
        return evaluateWithin(bindings, meter);
      } finally {
        budget.take(meter.spent);
      }
    },
  };
}

function compileSource(
  source: string,
  environment: Environment,
): Pick<Rule, "type" | "uses" | "mostCost"> & { readonly run: (frame: Frame) => Value } {
  const compiler = new Compiler(environment);
  try {
    const tree = parse(source);
    const { type, run } = compiler.compile(tree, new Scope());
    if (compiler.issues.length > 0) throw compilationFault(source, compiler.issues);
    if (compiler.obstacle !== undefined) throw new CelFault("compile", `${CANNOT_START}${compiler.obstacle}`);
    const { sizes } = environment;
    const mostCost = sizes === undefined ? undefined : estimatedCost(tree, compiler.types, sizes);
    return { type, run, uses: compiler.uses, mostCost };
  } catch (error) {
    if (error instanceof SyntaxIssue) throw compilationFault(source, [error]);
    throw error;
  }
}

function compilationFault(source: string, issues: readonly Issue[]): CelFault {
  return new CelFault("compile", `compilation failed: ${renderIssues(source, issues)}`);
}

function frameOf(bindings: Bindings, { variables }: Environment, meter: Meter): Frame {
  const made = new Map<string, Value>();
  const read = (name: string) => {
    const before = made.get(name);
    if (before !== undefined) return before;
    const bound = Object.hasOwn(bindings, name) ? bindings[name] : undefined;
    const raw = bound instanceof Lazy ? bound.make(meter) : bound;
    const value = fromJson(raw, variables.get(name) ?? DYN);
    made.set(name, value);
    return value;
  };
  return { slots: [], meter, read };
}
