export type PlainKind =
  | "bool"
  | "int"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "null"
  | "dyn"
  | "timestamp"
  | "duration";

export interface PlainType {
  readonly kind: PlainKind;
}

/** The type of types: `type(int)` is what `int` is. */
export interface TypeType {
  readonly kind: "type";
  readonly of: Type;
}

export interface ListType {
  readonly kind: "list";
  readonly of: Type;
  /** How lists of this place are equal and add up, when not by position: as a set, or as a map by these fields. */
  readonly merge?: ListMerge;
}

export type ListMerge = { readonly as: "set" } | { readonly as: "map"; readonly keys: readonly string[] };

export interface MapType {
  readonly kind: "map";
  readonly key: Type;
  readonly value: Type;
}

/** An object with known fields; two are the same type when they have the same name. */
export interface ObjectType {
  readonly kind: "object";
  readonly name: string;
  readonly field: (name: string) => Field | undefined;
}

export interface Field {
  readonly type: Type;
  /** The field's name in JSON, where it cannot be written in an expression. */
  readonly json: string;
}

export type Type =
  | PlainType
  | ListType
  | MapType
  | TypeType
  | ObjectType
  | { readonly kind: "optional"; readonly of: Type }
  | { readonly kind: "opaque"; readonly name: string }
  | { readonly kind: "param"; readonly name: string };

export const BOOL: Type = { kind: "bool" };
export const INT: Type = { kind: "int" };
export const UINT: Type = { kind: "uint" };
export const DOUBLE: Type = { kind: "double" };
export const STRING: Type = { kind: "string" };
export const BYTES: Type = { kind: "bytes" };
export const NULL: Type = { kind: "null" };
export const DYN: Type = { kind: "dyn" };
export const TIMESTAMP: Type = { kind: "timestamp" };
export const DURATION: Type = { kind: "duration" };

export function listOf(of: Type, merge?: ListMerge): Type {
  return merge === undefined ? { kind: "list", of } : { kind: "list", of, merge };
}

export function mapOf(key: Type, value: Type): Type {
  return { kind: "map", key, value };
}

export function optionalOf(of: Type): Type {
  return { kind: "optional", of };
}

export function typeOf(of: Type): Type {
  return { kind: "type", of };
}

export function opaque(name: string): Type {
  return { kind: "opaque", name };
}

/** An object type whose fields are all given; an expression's names are JSON's. */
export function objectType(name: string, fields: Readonly<Record<string, Type>>): ObjectType {
  const known = new Map(Object.entries(fields).map(([json, type]) => [json, { type, json }]));
  return { kind: "object", name, field: (field) => known.get(field) };
}

const SHOWN: Partial<Record<PlainKind, string>> = {
  timestamp: "timestamp",
  duration: "duration",
};

/** A type as cel-go's messages name it: `map(string, list(int))`. */
export function showType(type: Type): string {
  switch (type.kind) {
    case "list":
      return `list(${showType(type.of)})`;
    case "map":
      return `map(${showType(type.key)}, ${showType(type.value)})`;
    case "optional":
      return `optional_type(${showType(type.of)})`;
    case "type":
      return `type(${showType(type.of)})`;
    case "object":
    case "opaque":
    case "param":
      return type.name;
    default:
      return SHOWN[type.kind] ?? type.kind;
  }
}

/** What type parameters stand for so far. */
export type Substitution = Map<string, Type>;

/** Whether a value of type `given` may stand where `wanted` is asked for; binds `wanted`'s parameters. */
export function assign(wanted: Type, given: Type, bound: Substitution): boolean {
  if (wanted.kind === "param") return bindParam(wanted.name, given, bound);
  if (wanted.kind === "dyn" || given.kind === "dyn") return true;
  if (given.kind === "null") return wanted.kind === "null" || isNullable(wanted);
  if (wanted.kind === "null") return isNullable(given);
  switch (wanted.kind) {
    case "list":
      return given.kind === "list" && assign(wanted.of, given.of, bound);
    case "optional":
      return given.kind === "optional" && assign(wanted.of, given.of, bound);
    case "map":
      return (
        given.kind === "map" &&
        assign(wanted.key, given.key, bound) &&
        assign(wanted.value, given.value, bound)
      );
    case "object":
    case "opaque":
      return given.kind === wanted.kind && given.name === wanted.name;
    default:
      return given.kind === wanted.kind;
  }
}

/** Binds a parameter to the wider of what it was and what it is given. */
function bindParam(name: string, given: Type, bound: Substitution): boolean {
  const before = bound.get(name);
  if (before === undefined) {
    bound.set(name, given);
    return true;
  }
  const joined = join(before, given);
  if (joined === undefined) return false;
  bound.set(name, joined);
  return true;
}

/** The type of something that is one of the two, if they go together. */
export function join(a: Type, b: Type): Type | undefined {
  if (!assign(a, b, new Map())) return undefined;
  if (a.kind === "dyn" || b.kind === "null") return a;
  if (b.kind === "dyn" || a.kind === "null") return b;
  if (a.kind === "list" && b.kind === "list") return listOf(join(a.of, b.of) ?? DYN, a.merge);
  if (a.kind === "optional" && b.kind === "optional") return optionalOf(join(a.of, b.of) ?? DYN);
  if (a.kind === "map" && b.kind === "map")
    return mapOf(join(a.key, b.key) ?? DYN, join(a.value, b.value) ?? DYN);
  return a;
}

function isNullable({ kind }: Type): boolean {
  return (
    kind === "object" ||
    kind === "opaque" ||
    kind === "optional" ||
    kind === "timestamp" ||
    kind === "duration"
  );
}

/** `type` with its parameters replaced; unbound ones are dynamic. */
export function substitute(type: Type, bound: Substitution): Type {
  switch (type.kind) {
    case "param":
      return bound.get(type.name) ?? DYN;
    case "list":
      return listOf(substitute(type.of, bound));
    case "optional":
      return optionalOf(substitute(type.of, bound));
    case "type":
      return typeOf(substitute(type.of, bound));
    case "map":
      return mapOf(substitute(type.key, bound), substitute(type.value, bound));
    default:
      return type;
  }
}
