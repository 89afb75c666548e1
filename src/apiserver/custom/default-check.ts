import { copyJson, isObject, type Json, sameJson } from "../json.ts";
import { invalid } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { embeddedErrors, fitEmbedded } from "./embedded.ts";
import { errorsAt } from "./found.ts";
import { prune } from "./prune.ts";
import { RuleTree } from "./rule-tree.ts";
import { defaultOf, isEmbedded, itemsOf, type Schema, TYPE_FIELDS } from "./schema.ts";
import { Validator } from "./validator.ts";

/** Defaults that a write of them would not pass, or that say fields the schema does not have. */
export function defaultErrors(
  path: string,
  schema: Schema,
  options: { readonly isRoot: boolean },
): FieldError[] {
  const value = defaultOf(schema);
  const own = value === undefined ? [] : valueErrors(`${path}.default`, schema, value);
  const items = itemsOf(schema);
  const below = items === undefined ? [] : defaultErrors(`${path}.items`, items, { isRoot: false });
  const isObjectItself = options.isRoot || isEmbedded(schema);
  const fields = Object.entries(schema.properties ?? {})
    // Defaults of an object's own type and metadata are the embedding object's to check.
    .filter(([field]) => !isObjectItself || !TYPE_FIELDS.has(field))
    .flatMap(([field, child]) => defaultErrors(`${path}.properties[${field}]`, child, { isRoot: false }));
  return [...own, ...below, ...fields];
}

function valueErrors(path: string, schema: Schema, value: Json): FieldError[] {
  const pruned = copyJson(value);
  prune(pruned, schema, { isRoot: isEmbedded(schema) });
  if (!sameJson(pruned, value)) return [invalid(path, value, "must not have unknown fields")];
  const fitted = copyJson(value);
  if (isObject(fitted) || Array.isArray(fitted)) fitEmbedded(fitted, schema, { isTolerant: false });
  const embedded = embeddedErrors(value, schema);
  if (embedded.length > 0) return embedded.map((error) => ({ ...error, path: `${path}.${error.path}` }));
  const errors = errorsAt(path, new Validator(schema).check(value));
  if (errors.length > 0) return errors;
  const place = { path, old: undefined, correlation: undefined };
  return [...(RuleTree.of(schema, { isRoot: isEmbedded(schema) })?.check(value, place) ?? [])];
}
