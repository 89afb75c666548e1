import messages from "../generated/protobuf.json" with { type: "json" };
import { isObject, type JsonObject } from "../json.ts";
import { DEFINITIONS, type FieldType, type Scalar, shapeOf } from "../schema.ts";

/** `jsonName type`, a `!` at the end where Go holds the scalar behind a pointer. */
const MESSAGES = messages as unknown as Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What Go's encoder does with one field of a struct. */
interface FieldHabit {
  /** Left out when it holds this; undefined: always written as it is. */
  readonly drop: "zero" | "empty" | undefined;
  /** The definition of the struct, or of the structs in the list or map. */
  readonly struct: string | undefined;
  readonly holds: "one" | "list" | "map" | "scalar";
}

interface StructHabit {
  readonly fields: ReadonlyMap<string, FieldHabit>;
  /** Plain scalars without omitempty: they are there even when nobody gave them. */
  readonly filled: readonly (readonly [string, string | number | boolean])[];
}

const ZERO: Partial<Record<Scalar, string | number | boolean>> = {
  string: "",
  int32: 0,
  int64: 0,
  double: 0,
  boolean: false,
};

const habits = new Map<string, StructHabit>();

/** Makes the object what kube-apiserver's types would write: zero values of optional plain fields, and empty optional lists and maps, are gone;
 *  plain fields that are always written are there. A no-op for definitions the generated tables do not know. */
export function tidyAsGo(object: JsonObject, definition: string): void {
  if (DEFINITIONS[definition] !== undefined) tidyStruct(object, definition);
}

function tidyStruct(object: JsonObject, definition: string): void {
  const { fields, filled } = habitOf(definition);
  for (const key of Object.keys(object)) {
    const habit = fields.get(key);
    if (habit === undefined) continue;
    const value = object[key];
    if (value === null || value === undefined || isLeftOut(value, habit)) {
      delete object[key];
      continue;
    }
    if (habit.struct === undefined) continue;
    if (habit.holds === "one" && isObject(value)) tidyStruct(value, habit.struct);
    else if (habit.holds === "list" && Array.isArray(value)) {
      for (const item of value) if (isObject(item)) tidyStruct(item, habit.struct);
    } else if (habit.holds === "map" && isObject(value)) {
      for (const item of Object.values(value)) if (isObject(item)) tidyStruct(item, habit.struct);
    }
  }
  for (const [key, zero] of filled) object[key] ??= zero;
}

function isLeftOut(value: unknown, { drop }: FieldHabit): boolean {
  if (drop === "zero") return value === "" || value === 0 || value === false;
  if (drop !== "empty") return false;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

function habitOf(definition: string): StructHabit {
  const known = habits.get(definition);
  if (known !== undefined) return known;
  const made = makeHabit(definition);
  habits.set(definition, made);
  return made;
}

function makeHabit(definition: string): StructHabit {
  const { fields = {}, required = [] } = DEFINITIONS[definition] ?? {};
  const pointers = pointersOf(definition);
  const filled: [string, string | number | boolean][] = [];
  const table = new Map<string, FieldHabit>();
  for (const [name, type] of Object.entries(fields)) {
    const isRequired = required.includes(name);
    table.set(name, fieldHabit(type, isRequired || pointers.has(name)));
    const shape = shapeOf(type);
    const zero = shape.is === "scalar" ? ZERO[shape.scalar] : undefined;
    if (isRequired && !pointers.has(name) && zero !== undefined) filled.push([name, zero]);
  }
  return { fields: table, filled };
}

function fieldHabit(type: FieldType, stays: boolean): FieldHabit {
  const shape = shapeOf(type);
  switch (shape.is) {
    case "scalar": {
      const isPlain = ZERO[shape.scalar] !== undefined;
      return { drop: stays || !isPlain ? undefined : "zero", struct: undefined, holds: "scalar" };
    }
    case "struct":
      return { drop: undefined, struct: shape.name, holds: "one" };
    case "list":
      return { drop: stays ? undefined : "empty", struct: structIn(shape.type.list), holds: "list" };
    case "map":
      return { drop: stays ? undefined : "empty", struct: structIn(shape.type.map), holds: "map" };
    default:
      return shape satisfies never;
  }
}

function structIn(type: FieldType): string | undefined {
  const shape = shapeOf(type);
  return shape.is === "struct" ? shape.name : undefined;
}

/** The fields held behind pointers, those of inlined structs (`^name Definition`) among them. */
function pointersOf(definition: string): ReadonlySet<string> {
  const names = Object.values(MESSAGES[definition] ?? {}).flatMap((line) => {
    const [name = "", type = ""] = line.split(" ");
    if (name.startsWith("^")) return [...pointersOf(type)];
    return type.endsWith("!") ? [name] : [];
  });
  return new Set(names);
}
