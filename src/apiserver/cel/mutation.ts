import { define, type Overload } from "./declare.ts";
import type { StructMaker } from "./environment.ts";
import { runtimeFault } from "./fault.ts";
import { DYN, type ObjectType, objectType, STRING, type Type } from "./types.ts";
import { CelMap, type Value } from "./value.ts";

/** An object of a mutation's expression: a map whose type is its place in the mutated object. */
class MadeObject extends CelMap {
  readonly #fields: ReadonlyMap<string, Value>;
  readonly #name: string;

  constructor(name: string, fields: ReadonlyMap<string, Value>) {
    super();
    this.#name = name;
    this.#fields = fields;
  }

  override get typeName(): string {
    return this.#name;
  }

  get size(): number {
    return this.#fields.size;
  }

  get(key: Value): Value | undefined {
    return typeof key === "string" ? this.#fields.get(key) : undefined;
  }

  has(key: Value): boolean {
    return typeof key === "string" && this.#fields.has(key);
  }

  keys(): readonly Value[] {
    return [...this.#fields.keys()];
  }
}

const JSON_PATCH = objectType("JSONPatch", { op: STRING, path: STRING, from: STRING, value: DYN });

/** `Object{...}`, `Object.spec{...}` and `JSONPatch{...}`. */
export function mutationStruct(name: string): StructMaker | undefined {
  if (name === "JSONPatch")
    return {
      type: JSON_PATCH,
      fieldType: (field) => JSON_PATCH.field(field)?.type,
      make: (fields) => new MadeObject(name, fields),
    };
  if (name !== "Object" && !name.startsWith("Object.")) return undefined;
  return { type: placeType(name), fieldType: () => DYN, make: (fields) => placed(name, fields) };
}

/** The type of patches, which a policy's expression lists. */
export const JSON_PATCH_TYPE: Type = JSON_PATCH;

export const OBJECT_TYPE: Type = placeType("Object");

function placeType(name: string): ObjectType {
  return { kind: "object", name, field: (field) => ({ type: DYN, json: field }) };
}

/** Fields that are objects themselves have to be of the type of their place. */
function placed(name: string, fields: ReadonlyMap<string, Value>): Value {
  for (const [field, value] of fields)
    for (const inner of Array.isArray(value) ? (value as readonly Value[]) : [value])
      if (inner instanceof MadeObject && inner.typeName !== `${name}.${field}`)
        throw runtimeFault(
          `unexpected type name ${JSON.stringify(inner.typeName)}, expected ${JSON.stringify(`${name}.${field}`)}, which matches field name path from root Object type`,
        );
  return new MadeObject(name, fields);
}

export function mutationFunctions(): readonly Overload[] {
  const escapeKey = (text: string) => text.replaceAll("~", "~0").replaceAll("/", "~1");
  return [define("jsonpatch.escapeKey(string): string", escapeKey)];
}
