import { define, type Overload } from "../declare.ts";
import { contains, equal } from "../equal.ts";
import type { Meter } from "../meter.ts";
import { type CelMap, characters, TypeValue, typeName, type Value } from "../value.ts";

/** Equality, membership, indexes, sizes, and what every CEL has of strings. */
export function standard(): readonly Overload[] {
  return [...relations(), ...indexes(), ...sizes(), ...texts()];
}

function relations(): readonly Overload[] {
  const isIn = (item: Value, list: readonly Value[], meter: Meter) => contains(list, item, meter);
  return [
    define("_==_(T, T): bool", (a: Value, b: Value, meter: Meter) => equal(a, b, meter), "flat"),
    define("_!=_(T, T): bool", (a: Value, b: Value, meter: Meter) => !equal(a, b, meter), "flat"),
    define("!_(bool): bool", (value: boolean) => !value, "flat"),
    define("@in(T, list(T)): bool", isIn, "flat"),
    define("@in(K, map(K, V)): bool", (key: Value, map: CelMap) => map.has(key), "flat"),
    define("type(T): type(T)", (value: Value) => new TypeValue(typeName(value)), "flat"),
    define("dyn(T): dyn", (value: Value) => value, "flat"),
  ];
}

/** The types of indexes; what they give depends on the value alone. @see ../qualify.ts */
function indexes(): readonly Overload[] {
  return [
    "_[_](list(T), int): T",
    "_[_](map(K, V), K): V",
    "_[_](optional(list(T)), int): optional(T)",
    "_[_](optional(map(K, V)), K): optional(V)",
    "_[?_](list(T), int): optional(T)",
    "_[?_](map(K, V), K): optional(V)",
    "_[?_](optional(list(T)), int): optional(T)",
    "_[?_](optional(map(K, V)), K): optional(V)",
  ].map((signature) => define(signature, () => null, "flat"));
}

function sizes(): readonly Overload[] {
  const size = (value: { readonly size: number }) => BigInt(value.size);
  const length = (value: { readonly length: number }) => BigInt(value.length);
  const text = (value: string) => BigInt(characters(value));
  return [
    define("size(string): int", text),
    define("string.size(): int", text),
    ...["size(list(T)): int", "list(T).size(): int"].map((signature) => define(signature, length, "flat")),
    ...["size(bytes): int", "bytes.size(): int"].map((signature) => define(signature, length, "flat")),
    ...["size(map(K, V)): int", "map(K, V).size(): int"].map((signature) => define(signature, size, "flat")),
  ];
}

function texts(): readonly Overload[] {
  return [
    define("string.contains(string): bool", (text: string, part: string) => text.includes(part)),
    define("string.startsWith(string): bool", (text: string, part: string) => text.startsWith(part)),
    define("string.endsWith(string): bool", (text: string, part: string) => text.endsWith(part)),
  ];
}
