import { define, type Overload } from "../declare.ts";
import { contains } from "../equal.ts";
import type { Meter } from "../meter.ts";
import type { Value } from "../value.ts";

type List = readonly Value[];

/** Lists taken as sets. */
export function sets(): readonly Overload[] {
  const within = (outer: List, inner: List, meter: Meter) =>
    inner.every((item) => contains(outer, item, meter));
  return [
    define("sets.contains(list(T), list(T)): bool", within),
    define(
      "sets.equivalent(list(T), list(T)): bool",
      (a: List, b: List, meter: Meter) => within(a, b, meter) && within(b, a, meter),
    ),
    define("sets.intersects(list(T), list(T)): bool", (a: List, b: List, meter: Meter) =>
      a.some((item) => contains(b, item, meter)),
    ),
  ];
}
