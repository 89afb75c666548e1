import table from "./generated/schema.json" with { type: "json" };
import type { Json } from "./json.ts";

export type Scalar =
  | "string"
  | "int32"
  | "int64"
  | "double"
  | "boolean"
  | "bytes"
  /** An object of any kind. */
  | "any"
  /** Any value at all. */
  | "json"
  | "quantity"
  | "int-or-string"
  | "time"
  | "micro-time";

interface PatchFacts {
  /** Strategic merge patch: `merge`, `retainKeys`, both, or none (replace). */
  readonly patch?: string;
  readonly mergeKey?: string;
}
export interface ListType extends PatchFacts {
  readonly list: FieldType;
  /** Server-side apply: elements are merged by keys (`map`), by value (`set`), or not at all. */
  readonly kind?: "map" | "set";
  readonly keys?: readonly string[];
  /** What a key says that an element leaves out. */
  readonly keyDefaults?: Readonly<Record<string, Json>>;
}
export interface MapType extends PatchFacts {
  readonly map: FieldType;
  readonly atomic?: boolean;
}
export interface WrappedType extends PatchFacts {
  readonly of: string;
  readonly atomic?: boolean;
  /** What may stand there instead of an object. */
  readonly or?: "boolean" | "list";
}
/** An object whose fields are written out here: what a custom resource's schema says has no name of its own. */
export interface StructType extends PatchFacts {
  readonly struct: Definition;
  readonly atomic?: boolean;
}
/** A scalar, the name of a definition, or a list, map, written-out object or annotated name. */
export type FieldType = string | ListType | MapType | StructType | WrappedType;

/** Whatever it is: objects are merged field by field, everything else is taken whole. */
export const UNTYPED: MapType = {
  get map(): FieldType {
    return UNTYPED;
  },
};

export interface Definition {
  readonly atomic?: boolean;
  readonly gvk?: { readonly group: string; readonly version: string; readonly kind: string };
  readonly required?: readonly string[];
  /** How Go writes it: names, separated by blanks, of fields behind pointers, without omitempty, and with omitzero. */
  readonly go?: { readonly pointers?: string; readonly kept?: string; readonly omitsZero?: string };
  /** What fields that are not listed hold; without it they are unknown. */
  readonly others?: FieldType;
  readonly fields: Readonly<Record<string, FieldType>>;
}

/** The one cast: the generated table is what the script's own types say. */
export const DEFINITIONS = table as unknown as Readonly<Record<string, Definition>>;

/** A field's type with names looked up: what to do with the value there. */
export type Shape =
  | { readonly is: "scalar"; readonly scalar: Scalar }
  | {
      readonly is: "struct";
      /** Empty when the type is written out in place. */
      readonly name: string;
      readonly definition: Definition;
      readonly atomic: boolean;
    }
  | { readonly is: "list"; readonly type: ListType }
  | { readonly is: "map"; readonly type: MapType };

const shapes = new Map<string, Shape>();
const shapesInPlace = new WeakMap<object, Shape>();

/** The same shape each time: types are asked for theirs at every field of every object. */
export function shapeOf(type: FieldType): Shape {
  const known = typeof type === "string" ? shapes.get(type) : shapesInPlace.get(type);
  if (known !== undefined) return known;
  const made = makeShape(type);
  if (typeof type === "string") shapes.set(type, made);
  else shapesInPlace.set(type, made);
  return made;
}

function makeShape(type: FieldType): Shape {
  if (typeof type !== "string" && "list" in type) return { is: "list", type };
  if (typeof type !== "string" && "map" in type) return { is: "map", type };
  if (typeof type !== "string" && "struct" in type) {
    const { struct, atomic } = type;
    return { is: "struct", name: "", definition: struct, atomic: atomic === true || struct.atomic === true };
  }
  const name = typeof type === "string" ? type : type.of;
  const definition = DEFINITIONS[name];
  if (definition === undefined) return { is: "scalar", scalar: name as Scalar };
  const atomic = definition.atomic === true || (typeof type !== "string" && type.atomic === true);
  return { is: "struct", name, definition, atomic };
}

/** The type of a struct's field; undefined when it has none of that name. */
export function fieldOf(definition: Definition, field: string): FieldType | undefined {
  return Object.hasOwn(definition.fields, field) ? definition.fields[field] : definition.others;
}

/** How strategic merge patch treats the field. */
export function patchFacts(type: FieldType): {
  readonly strategies: readonly string[];
  readonly mergeKey: string | undefined;
} {
  if (typeof type === "string") return { strategies: [], mergeKey: undefined };
  return { strategies: type.patch?.split(",") ?? [], mergeKey: type.mergeKey };
}

/** What an object of a kind is made of. */
export function typeOf(kind: { readonly definition: string; readonly type?: FieldType }): FieldType {
  return kind.type ?? kind.definition;
}

/** The last word of a definition's name: `io.k8s.api.core.v1.PodSpec` is `PodSpec`. */
export function shortName(definition: string): string {
  return definition.slice(definition.lastIndexOf(".") + 1);
}
