import type { Call, Expr } from "./ast.ts";
import type { Entries, Estimator } from "./estimate.ts";
import { isFold, variablesOf } from "./fold.ts";
import { either, exactly, plus, type Range, times, UNKNOWN } from "./range.ts";

/** What a macro costs besides its body: to begin with, in every round, and in the end. */
interface Frame {
  readonly start: number;
  readonly round: (parts: { readonly body: Range; readonly filter: Range | undefined }) => Range;
  readonly end: number;
  /** Whether its answer has as many elements as what it goes through. */
  readonly collects?: "list" | "map";
}

/** `a ? b : c` where c is the answer so far. */
function chosen(condition: Range | undefined, step: Range): Range {
  return condition === undefined ? step : plus(condition, either(step, exactly(1)));
}

const LIST = 10;
const MAP = 30;
const all: Frame = { start: 0, round: ({ body }) => ({ min: 3, max: 3 + body.max }), end: 1 };
const exists: Frame = { start: 0, round: ({ body }) => ({ min: 4, max: 4 + body.max }), end: 1 };
const one: Frame = { start: 0, round: ({ body }) => plus(body, { min: 1, max: 2 }), end: 2 };
const map: Frame = {
  start: LIST,
  round: ({ body, filter }) => chosen(filter, plus(body, exactly(LIST + 2))),
  end: 1,
  collects: "list",
};

const FRAMES: Readonly<Record<string, Frame>> = {
  all,
  exists,
  exists_one: one,
  existsOne: one,
  filter: {
    start: LIST,
    round: ({ body }) => plus(body, { min: 1, max: LIST + 3 }),
    end: 1,
    collects: "list",
  },
  map,
  sortBy: map,
  transformList: map,
  transformMap: {
    start: MAP,
    round: ({ body, filter }) => chosen(filter, plus(body, exactly(3))),
    end: 1,
    collects: "map",
  },
  transformMapEntry: {
    start: MAP,
    round: ({ body, filter }) => chosen(filter, plus(body, exactly(2))),
    end: 1,
    collects: "map",
  },
};

/** The cost of a macro; undefined when the call is none. */
export function macroCost(estimator: Estimator, call: Call): Range | undefined {
  const { name, target, args } = call;
  const [arg, body] = args;
  if (target === undefined)
    return name === "has" && arg?.kind === "select" ? estimator.cost(arg.operand) : undefined;
  if ((name === "optMap" || name === "optFlatMap") && arg?.kind === "ident" && body) {
    const start = estimator.cost(target);
    const local = { path: [], size: undefined, entries: undefined };
    const inner = estimator.bound(arg.name, local, () => estimator.cost(body));
    return plus(start, start, inner, exactly(LIST + 3));
  }
  const frame = Object.hasOwn(FRAMES, name) && isFold(name, args.length) ? FRAMES[name] : undefined;
  return frame && foldCost(estimator, call, { target, frame });
}

function foldCost(
  estimator: Estimator,
  call: Call,
  { target, frame }: { readonly target: Expr; readonly frame: Frame },
): Range {
  const start = estimator.cost(target);
  const count = variablesOf(call.name, call.args.length);
  const names = call.args.slice(0, count).map((arg) => (arg.kind === "ident" ? arg.name : ""));
  const rest = call.args.slice(count);
  const body = rest.at(-1);
  const filter = rest.length > 1 ? rest[0] : undefined;
  if (body === undefined) return start;
  const inner = within(estimator, { target, names }, () => ({
    filter: filter && estimator.cost(filter),
    body: estimator.cost(body),
    size: call.name === "filter" ? sizeOfName(estimator, names[0] ?? "", target) : estimator.sizeOf(body),
  }));
  const rounds = estimator.sizeOf(target) ?? UNKNOWN;
  if (frame.collects === undefined) estimator.keep(call, exactly(1));
  else estimator.keep(call, rounds, collected(inner.size));
  return plus(start, exactly(frame.start + frame.end), times(rounds, frame.round(inner)));
}

function collected(size: Range | undefined): Entries {
  return { key: exactly(1), value: either(exactly(0), size ?? UNKNOWN) };
}

function sizeOfName(estimator: Estimator, _name: string, target: Expr): Range | undefined {
  const entries = estimator.entriesOf(target);
  return entries?.value ?? estimator.sizeAt(elementPath(estimator, target, stepFor(estimator, target)));
}

function stepFor(estimator: Estimator, target: Expr): "@items" | "@keys" {
  return estimator.types.get(target)?.kind === "map" ? "@keys" : "@items";
}

function elementPath(estimator: Estimator, target: Expr, step: string): readonly string[] {
  // Below what has no place itself this leads to the root: cel-go has it so.
  return [...estimator.pathOf(target), step];
}

/** Runs `work` with a macro's variables bound to the elements of what it goes through. */
function within<T>(
  estimator: Estimator,
  { target, names }: { readonly target: Expr; readonly names: readonly string[] },
  work: () => T,
): T {
  const isMap = estimator.types.get(target)?.kind === "map";
  const entries = estimator.entriesOf(target);
  const bind = (step: string, size: Range | undefined) => ({
    path: elementPath(estimator, target, step),
    size,
    entries: undefined,
  });
  const [first = "", second] = names;
  const keyed = bind(isMap ? "@keys" : "@indices", entries?.key);
  const valued = bind(isMap ? "@values" : "@items", entries?.value);
  if (second === undefined) return estimator.bound(first, isMap ? keyed : valued, work);
  return estimator.bound(first, keyed, () => estimator.bound(second, valued, work));
}
