import { NO_OVERLOAD } from "./fault.ts";
import { typeName, type Value } from "./value.ts";

const COUNTED = ["int", "uint", "double"];
const MOMENTS = ["google.protobuf.Timestamp", "google.protobuf.Duration"];
const COMPARED = ["bool", "bytes", "string", ...COUNTED, ...MOMENTS];
const SIZED = ["bytes", "list", "map", "string"];

/** Operators that a value's own type decides on, and the types that have them. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  "_+_": [...COUNTED, ...MOMENTS, "string", "bytes", "list"],
  "_-_": [...COUNTED, ...MOMENTS],
  "_*_": COUNTED,
  "_/_": COUNTED,
  "_%_": ["int", "uint"],
  "_<_": COMPARED,
  "_<=_": COMPARED,
  "_>_": COMPARED,
  "_>=_": COMPARED,
  matches: ["string"],
  size: SIZED,
};

const PLAIN = new Set(["-_", "!_", "@in"]);
/** Types that look for a method of the name, and say that they have none. */
const RECEIVERS = new Set(["string", ...MOMENTS]);

/** What cel-go says of values that no overload takes: which of its layers finds out depends on the operator and on the first value. */
export function noOverloadFor(name: string, values: readonly Value[]): string {
  const owners = OWNERS[name];
  if (PLAIN.has(name)) return NO_OVERLOAD;
  if (owners === undefined) return `${NO_OVERLOAD}: ${name}(${values.map(typeName).join(", ")})`;
  const first = typeName(values[0] ?? null);
  return owners.includes(first) || RECEIVERS.has(first) ? NO_OVERLOAD : `${NO_OVERLOAD}: ${name}`;
}
