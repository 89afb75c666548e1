import { define, type Overload } from "../declare.ts";
import { contains, equal } from "../equal.ts";
import { NO_OVERLOAD, runtimeFault } from "../fault.ts";
import type { Meter } from "../meter.ts";
import { int64, uint64 } from "../numbers.ts";
import { duration } from "../time.ts";
import { Duration, isList, Optional, Uint, type Value } from "../value.ts";
import { compareValues } from "./compare.ts";

/** Kubernetes' lists and cel-go's extended ones. */
export function lists(): readonly Overload[] {
  return [...sums(), ...orders(), ...places(), ...shapes()];
}

function sums(): readonly Overload[] {
  return [
    define("list(int).sum(): int", (list: readonly Value[]) => sum(list, 0n)),
    define("list(uint).sum(): uint", (list: readonly Value[]) => sum(list, new Uint(0n))),
    define("list(double).sum(): double", (list: readonly Value[]) => sum(list, 0)),
    define("list(duration).sum(): duration", (list: readonly Value[]) => sum(list, new Duration(0n))),
  ];
}

function sum(list: readonly Value[], zero: Value): Value {
  const [first = zero] = list;
  return list.slice(1).reduce(add, first);
}

function add(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return int64(a + b);
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (a instanceof Uint && b instanceof Uint) return uint64(a.value + b.value);
  if (a instanceof Duration && b instanceof Duration) return duration(a.nanos + b.nanos);
  throw runtimeFault(NO_OVERLOAD);
}

const ORDERED = ["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"];

function orders(): readonly Overload[] {
  const isSorted = (list: readonly Value[]) =>
    list.every((item, i) => i === 0 || compareValues(list[i - 1] ?? null, item) <= 0);
  const sorted = (list: readonly Value[], meter: Meter) => {
    meter.spend(list.length * Math.log2(list.length + 1));
    return [...list].sort(compareValues);
  };
  return ORDERED.flatMap((type) => [
    define(`list(${type}).isSorted(): bool`, isSorted),
    define(`list(${type}).min(): ${type}`, (list: readonly Value[]) => extreme(list, -1, "min")),
    define(`list(${type}).max(): ${type}`, (list: readonly Value[]) => extreme(list, 1, "max")),
    define(`list(${type}).sort(): list(${type})`, sorted),
  ]);
}

function extreme(list: readonly Value[], sign: 1 | -1, name: string): Value {
  if (list.length === 0) throw runtimeFault(`${name} called on empty list`);
  return list.reduce((best, item) => (compareValues(item, best) * sign > 0 ? item : best));
}

function places(): readonly Overload[] {
  const first = (list: readonly Value[], wanted: Value, meter: Meter) =>
    BigInt(list.findIndex((item) => equal(item, wanted, meter)));
  const last = (list: readonly Value[], wanted: Value, meter: Meter) =>
    BigInt(list.findLastIndex((item) => equal(item, wanted, meter)));
  return [
    define("list(T).indexOf(T): int", first),
    define("list(T).lastIndexOf(T): int", last),
    define("list(T).first(): optional(T)", (list: readonly Value[]) => new Optional(list[0]), "flat"),
    define("list(T).last(): optional(T)", (list: readonly Value[]) => new Optional(list.at(-1)), "flat"),
  ];
}

function shapes(): readonly Overload[] {
  return [
    define("list(T).slice(int, int): list(T)", slice),
    define("list(list(T)).flatten(): list(T)", (list: readonly Value[], meter: Meter) =>
      flatten(list, 1, meter),
    ),
    define("list(dyn).flatten(int): list(dyn)", (list: readonly Value[], depth: bigint, meter: Meter) =>
      flatten(list, Number(depth), meter),
    ),
    define("list(T).distinct(): list(T)", distinct),
    define("list(T).reverse(): list(T)", (list: readonly Value[]) => [...list].reverse()),
    define("lists.range(int): list(int)", range),
  ];
}

function slice(list: readonly Value[], from: bigint, to: bigint): Value {
  if (from < 0n || to < 0n)
    throw runtimeFault(`cannot slice(${from}, ${to}), negative indexes not supported`);
  if (from > to)
    throw runtimeFault(`cannot slice(${from}, ${to}), start index must be less than or equal to end index`);
  if (to > BigInt(list.length))
    throw runtimeFault(`cannot slice(${from}, ${to}), list is length ${list.length}`);
  return list.slice(Number(from), Number(to));
}

function flatten(list: readonly Value[], depth: number, meter: Meter): Value[] {
  if (depth < 0) throw runtimeFault("level must be non-negative");
  meter.spend(list.length / 10);
  return list.flatMap((item) => (isList(item) && depth > 0 ? flatten(item, depth - 1, meter) : [item]));
}

function distinct(list: readonly Value[], meter: Meter): Value[] {
  const kept: Value[] = [];
  for (const item of list) if (!contains(kept, item, meter)) kept.push(item);
  return kept;
}

function range(count: bigint, meter: Meter): Value[] {
  const size = Number(count);
  if (size <= 0) return [];
  meter.spend(size);
  return Array.from({ length: size }, (_, i) => BigInt(i));
}
