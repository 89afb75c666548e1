import { required } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { declared, itemsOf, type Schema } from "./schema.ts";

/** What is constrained below allOf, anyOf, oneOf and not must have been given a shape outside of them. */
export function checkCompleteness(path: string, schema: Schema): FieldError[] {
  return constrained(schema, schema, { shape: path, constraint: path });
}

/** Where the shape is said, and where the constraint. */
interface Places {
  readonly shape: string;
  readonly constraint: string;
}

function constrained(constraint: Schema, shape: Schema, places: Places): FieldError[] {
  const at = (word: string) => ({ ...places, constraint: `${places.constraint}.${word}` });
  const errors = constraint.not === undefined ? [] : nested(constraint.not, shape, at("not"));
  for (const word of ["allOf", "anyOf", "oneOf"] as const)
    for (const [i, each] of (constraint[word] ?? []).entries())
      errors.push(...nested(each, shape, at(`${word}[${i}]`)));
  return errors;
}

function nested(constraint: Schema, shape: Schema | undefined, places: Places): FieldError[] {
  if (shape === undefined) return [required(places.shape, `because it is defined in ${places.constraint}`)];
  const below = (edge: string): Places => ({
    shape: `${places.shape}.${edge}`,
    constraint: `${places.constraint}.${edge}`,
  });
  const errors = constrained(constraint, shape, places);
  const items = itemsOf(constraint);
  if (items !== undefined) errors.push(...nested(items, itemsOf(shape), below("items")));
  for (const [field, child] of Object.entries(constraint.properties ?? {}))
    errors.push(...nested(child, declared(shape, field), below(`properties[${field}]`)));
  return errors;
}
