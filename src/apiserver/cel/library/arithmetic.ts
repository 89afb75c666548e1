import { define, type Overload, sizeCost } from "../declare.ts";
import { contains, identity } from "../equal.ts";
import { listMerge, withMerge } from "../json-value.ts";
import type { Meter } from "../meter.ts";
import { divisor, int64, uint64 } from "../numbers.ts";
import { duration, timestamp } from "../time.ts";
import type { Duration, Timestamp, Uint, Value } from "../value.ts";
import { compareValues } from "./compare.ts";

/** `+ - * / %`, negation, and the order of values. */
export function arithmetic(): readonly Overload[] {
  return [...ints(), ...uints(), ...doubles(), ...moments(), ...joins(), ...orders()];
}

function ints(): readonly Overload[] {
  return [
    define("_+_(int, int): int", (a: bigint, b: bigint) => int64(a + b), "flat"),
    define("_-_(int, int): int", (a: bigint, b: bigint) => int64(a - b), "flat"),
    define("_*_(int, int): int", (a: bigint, b: bigint) => int64(a * b), "flat"),
    define("_/_(int, int): int", (a: bigint, b: bigint) => int64(a / divisor(b, "division")), "flat"),
    define("_%_(int, int): int", remainder, "flat"),
    define("-_(int): int", (a: bigint) => int64(-a), "flat"),
  ];
}

/** What is left of a division that fits 64 bits itself. */
function remainder(a: bigint, b: bigint): bigint {
  int64(a / divisor(b, "modulus"));
  return a % b;
}

function uints(): readonly Overload[] {
  return [
    define("_+_(uint, uint): uint", (a: Uint, b: Uint) => uint64(a.value + b.value), "flat"),
    define("_-_(uint, uint): uint", (a: Uint, b: Uint) => uint64(a.value - b.value), "flat"),
    define("_*_(uint, uint): uint", (a: Uint, b: Uint) => uint64(a.value * b.value), "flat"),
    define(
      "_/_(uint, uint): uint",
      (a: Uint, b: Uint) => uint64(a.value / divisor(b.value, "division")),
      "flat",
    ),
    define(
      "_%_(uint, uint): uint",
      (a: Uint, b: Uint) => uint64(a.value % divisor(b.value, "modulus")),
      "flat",
    ),
  ];
}

function doubles(): readonly Overload[] {
  return [
    define("_+_(double, double): double", (a: number, b: number) => a + b, "flat"),
    define("_-_(double, double): double", (a: number, b: number) => a - b, "flat"),
    define("_*_(double, double): double", (a: number, b: number) => a * b, "flat"),
    define("_/_(double, double): double", (a: number, b: number) => a / b, "flat"),
    define("-_(double): double", (a: number) => -a, "flat"),
  ];
}

function moments(): readonly Overload[] {
  const later = (at: Timestamp, by: Duration) => timestamp(at.nanos + by.nanos, at.offsetMinutes);
  return [
    define("_+_(timestamp, duration): timestamp", later, "flat"),
    define("_+_(duration, timestamp): timestamp", (by: Duration, at: Timestamp) => later(at, by), "flat"),
    define(
      "_+_(duration, duration): duration",
      (a: Duration, b: Duration) => duration(a.nanos + b.nanos),
      "flat",
    ),
    define(
      "_-_(timestamp, timestamp): duration",
      (a: Timestamp, b: Timestamp) => duration(a.nanos - b.nanos),
      "flat",
    ),
    define(
      "_-_(timestamp, duration): timestamp",
      (a: Timestamp, b: Duration) => timestamp(a.nanos - b.nanos, a.offsetMinutes),
      "flat",
    ),
    define(
      "_-_(duration, duration): duration",
      (a: Duration, b: Duration) => duration(a.nanos - b.nanos),
      "flat",
    ),
  ];
}

function joins(): readonly Overload[] {
  const bytes = (a: Uint8Array, b: Uint8Array) => new Uint8Array(Buffer.concat([a, b]));
  return [
    define("_+_(string, string): string", (a: string, b: string) => a + b),
    define("_+_(bytes, bytes): bytes", bytes),
    define("_+_(list(T), list(T)): list(T)", addLists),
  ];
}

/** Lists of a place that is a set or a map are united; others are put behind each other. */
function addLists(a: readonly Value[], b: readonly Value[], meter: Meter): readonly Value[] {
  const merge = listMerge(a);
  if (merge === undefined) return [...a, ...b];
  if (merge.as === "set") return withMerge([...a, ...b.filter((item) => !contains(a, item, meter))], merge);
  meter.spend(sizeCost(a) + sizeCost(b));
  const later = new Map(b.map((item) => [identity(item, merge.keys), item]));
  const kept = a.map((item) => later.get(identity(item, merge.keys)) ?? item);
  const there = new Set(a.map((item) => identity(item, merge.keys)));
  return withMerge([...kept, ...b.filter((item) => !there.has(identity(item, merge.keys)))], merge);
}

const ORDERED = ["bool", "string", "bytes", "timestamp", "duration"];
const NUMBERS = ["int", "uint", "double"];

function orders(): readonly Overload[] {
  const pairs = [
    ...ORDERED.map((type) => [type, type]),
    ...NUMBERS.flatMap((first) => NUMBERS.map((second) => [first, second])),
  ];
  const says: readonly (readonly [string, (order: number) => boolean])[] = [
    ["_<_", (order) => order < 0],
    ["_<=_", (order) => order <= 0],
    ["_>_", (order) => order > 0],
    ["_>=_", (order) => order >= 0],
  ];
  return says.flatMap(([name, says]) =>
    pairs.map(([first, second]) =>
      define(`${name}(${first}, ${second}): bool`, (a: Value, b: Value) => says(compareValues(a, b))),
    ),
  );
}
