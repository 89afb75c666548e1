import { duplicate, forbidden, invalid, notSupported, required } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { listTypeErrors } from "./list-type-rules.ts";
import { CostTotal, countBelow } from "./rule-cost.ts";
import { ruleErrors } from "./rule-rules.ts";
import { defaultOf, isEmbedded, itemsOf, type Schema, TYPE_FIELDS, valuesOf } from "./schema.ts";

/** What is known of a place in the schema from what stands above it. */
interface Place {
  readonly path: string;
  readonly isRoot: boolean;
  /** In the type or the metadata of an object. */
  readonly isInMeta: boolean;
  /** Why no default may stand here. */
  readonly noDefaults: string | undefined;
  /** The nearest place above whose parts cannot be told apart between an object and what it was. */
  readonly uncorrelated: string | undefined;
  /** How many values there may be at this place in one object; undefined when nobody has said. */
  readonly count: number | undefined;
  readonly costs: CostTotal;
}

interface Found {
  readonly schema: FieldError[];
  /** Of expressions: told only where the schema itself is right. */
  readonly rules: FieldError[];
}

/** What a version's schema may not say, whatever values it is for.
 *  @see apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go ValidateCustomResourceDefinitionOpenAPISchema */
export function schemaErrors(
  path: string,
  schema: Schema,
  options: { readonly checksRules: boolean },
): readonly FieldError[] {
  const place: Place = {
    path,
    isRoot: true,
    isInMeta: false,
    noDefaults: undefined,
    uncorrelated: undefined,
    count: 1,
    costs: new CostTotal(),
  };
  const found = nodeErrors(schema, place, options.checksRules);
  return [...found.schema, ...found.rules, ...place.costs.errors(path)];
}

function nodeErrors(schema: Schema, place: Place, checksRules: boolean): Found {
  const found: Found = { schema: [...wordErrors(schema, place)], rules: [] };
  const take = (inner: Found) => {
    found.schema.push(...inner.schema);
    found.rules.push(...inner.rules);
  };
  const at = (edge: string, more: Partial<Place> = {}): Place => ({
    ...place,
    isRoot: false,
    path: `${place.path}.${edge}`,
    count: countBelow(schema, place.count),
    ...more,
  });
  const values = valuesOf(schema);
  if (values !== undefined) {
    const reason = "inside additionalProperties applying to object metadata";
    take(
      nodeErrors(
        values,
        at("additionalProperties", place.isInMeta ? { noDefaults: reason } : {}),
        checksRules,
      ),
    );
  }
  for (const [field, child] of Object.entries(schema.properties ?? {}))
    take(nodeErrors(child, at(`properties[${field}]`, fieldPlace(schema, field, place)), checksRules));
  if (schema.not !== undefined) take(nodeErrors(schema.not, at("not"), false));
  for (const word of ["allOf", "oneOf", "anyOf"] as const)
    for (const [i, each] of (schema[word] ?? []).entries())
      take(nodeErrors(each, at(`${word}[${i}]`), false));
  const items = itemsOf(schema);
  if (items !== undefined) {
    const isMap = schema["x-kubernetes-list-type"] === "map";
    take(
      nodeErrors(
        items,
        at("items", isMap ? {} : { uncorrelated: place.uncorrelated ?? place.path }),
        checksRules,
      ),
    );
  }
  found.schema.push(...typeErrors(schema, place.path), ...listTypeErrors(schema, place.path));
  const rules = ruleErrors(schema, place, { compiles: checksRules && found.schema.length === 0 });
  found.schema.push(...rules.schema);
  found.rules.push(...rules.rules);
  return found;
}

function fieldPlace(schema: Schema, field: string, place: Place): Partial<Place> {
  if ((!place.isRoot && !isEmbedded(schema)) || !TYPE_FIELDS.has(field)) return {};
  return place.isRoot ? { isInMeta: true, noDefaults: `in top-level ${field}` } : { isInMeta: true };
}

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];

/** Words of JSON schema that custom resources do not have. */
const UNSUPPORTED = [
  "id",
  "additionalItems",
  "patternProperties",
  "definitions",
  "dependencies",
  "$ref",
] as const;

function wordErrors(schema: Schema, { path, noDefaults, isInMeta }: Place): FieldError[] {
  const errors: FieldError[] = [];
  const { type = "" } = schema;
  if (type !== "" && !TYPES.includes(type)) errors.push(notSupported(`${path}.type`, type, TYPES));
  if (defaultOf(schema) !== undefined && noDefaults !== undefined)
    errors.push(forbidden(`${path}.default`, `must not be set ${noDefaults}`));
  for (const word of UNSUPPORTED)
    if (schema[word] !== undefined && schema[word] !== "")
      errors.push(forbidden(`${path}.${word}`, `${word} is not supported`));
  if (type === "null")
    errors.push(forbidden(`${path}.type`, "type cannot be set to null, use nullable as an alternative"));
  if (Array.isArray(schema.items))
    errors.push(forbidden(`${path}.items`, "items must be a schema object and not an array"));
  if (isInMeta && isEmbedded(schema))
    errors.push(
      forbidden(`${path}.x-kubernetes-embedded-resource`, "must not be used inside of resource meta"),
    );
  if (schema.uniqueItems)
    errors.push(
      forbidden(
        `${path}.uniqueItems`,
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      ),
    );
  const hasFields = Object.keys(schema.properties ?? {}).length > 0;
  const values = schema.additionalProperties;
  if (hasFields && values !== undefined && values !== true)
    errors.push(
      forbidden(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive"),
    );
  return errors;
}

function typeErrors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type = "" } = schema;
  if (schema["x-kubernetes-preserve-unknown-fields"] === false)
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"));
  const mapType = schema["x-kubernetes-map-type"];
  if (mapType !== undefined && type !== "object") {
    const detail = "must be object if x-kubernetes-map-type is specified";
    errors.push(type === "" ? required(`${path}.type`, detail) : invalid(`${path}.type`, type, detail));
  }
  if (mapType !== undefined && mapType !== "atomic" && mapType !== "granular")
    errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]));
  return errors;
}

/** Paths that are given twice. */
export function repeatedErrors(path: (i: number) => string, values: readonly string[]): FieldError[] {
  return values.flatMap((value, i) => (values.indexOf(value) < i ? [duplicate(path(i), value)] : []));
}
