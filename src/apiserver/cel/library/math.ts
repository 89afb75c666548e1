import { define, type Overload } from "../declare.ts";
import { runtimeFault } from "../fault.ts";
import { int64 } from "../numbers.ts";
import type { Value } from "../value.ts";
import { compareValues } from "./compare.ts";

const MOST_ARGUMENTS = 8;

/** `math.greatest`, `math.least`, and rounding. */
export function math(): readonly Overload[] {
  return [...extremes("greatest", 1), ...extremes("least", -1), ...rounding()];
}

function extremes(name: string, sign: 1 | -1): readonly Overload[] {
  const best = (values: readonly Value[]) => {
    const [first] = values;
    if (first === undefined) throw runtimeFault(`math.@${name}(list) argument must not be empty`);
    return values.reduce((so, value) => (compareValues(value, so) * sign > 0 ? value : so), first);
  };
  const several = Array.from({ length: MOST_ARGUMENTS }, (_, i) => i + 1).flatMap((count) =>
    ["int", "uint", "double", "dyn"].map((type) =>
      define(
        `math.${name}(${Array.from({ length: count }, () => type).join(", ")}): ${type}`,
        (...args: Value[]) => best(args.slice(0, count)),
      ),
    ),
  );
  const lists = ["int", "uint", "double"].map((type) => define(`math.${name}(list(${type})): ${type}`, best));
  return [...lists, ...several.filter(({ params }) => params.length > 1 || params[0]?.kind !== "dyn")];
}

function rounding(): readonly Overload[] {
  const doubles: Readonly<Record<string, (value: number) => number>> = {
    ceil: Math.ceil,
    floor: Math.floor,
    trunc: Math.trunc,
    round: (value) => Math.sign(value) * Math.round(Math.abs(value)),
    abs: Math.abs,
    sqrt: Math.sqrt,
  };
  return [
    ...Object.entries(doubles).map(([name, run]) =>
      define(`math.${name}(double): double`, (value: number) => run(value), "flat"),
    ),
    define("math.abs(int): int", (value: bigint) => int64(value < 0n ? -value : value), "flat"),
    define("math.sign(int): int", (value: bigint) => (value > 0n ? 1n : value < 0n ? -1n : 0n), "flat"),
    define("math.isNaN(double): bool", (value: number) => Number.isNaN(value), "flat"),
    define(
      "math.isInf(double): bool",
      (value: number) => Math.abs(value) === Number.POSITIVE_INFINITY,
      "flat",
    ),
    define("math.isFinite(double): bool", (value: number) => Number.isFinite(value), "flat"),
  ];
}
