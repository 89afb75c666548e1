import { RE2JS } from "re2js";
import { explain } from "#fault/fault";
import { sameJson } from "../json.ts";
import { forbidden, invalid, required } from "../kinds/field/error.ts";
import type { FieldError } from "../kinds/kind.ts";
import { fieldErrorBody } from "../status.ts";
import { defaultOf, isEmbedded, itemsOf, preserves, type Schema, valuesOf } from "./schema.ts";
import { checkCompleteness } from "./structural-completeness.ts";

type Level = "root" | "item" | "field";

/** What keeps a schema from being structural: each node says its type, and what constrains a value says nothing of its shape.
 *  @see apiextensions-apiserver/pkg/apiserver/schema/validation.go */
export function structuralErrors(path: string, schema: Schema): readonly FieldError[] {
  const errors = [...nodeErrors(schema, "root", path), ...checkCompleteness(path, schema)];
  const text = (error: FieldError) => `${error.path}: ${fieldErrorBody(error)}`;
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

function nodeErrors(schema: Schema, level: Level, path: string): FieldError[] {
  const items = itemsOf(schema);
  const values = valuesOf(schema);
  const errors: FieldError[] = [];
  if (schema.type === "array" && items === undefined)
    errors.push(required(`${path}.items`, "must be specified"));
  if (items !== undefined) errors.push(...nodeErrors(items, "item", `${path}.items`));
  for (const [field, child] of Object.entries(schema.properties ?? {}))
    errors.push(...nodeErrors(child, "field", `${path}.properties[${field}]`));
  if (schema.additionalProperties !== undefined && level === "root")
    errors.push(forbidden(`${path}.additionalProperties`, "must not be used at the root"));
  if (values !== undefined) errors.push(...nodeErrors(values, "field", `${path}.additionalProperties`));
  errors.push(...constraintErrors(schema, path, exemptions(schema)));
  errors.push(...typeErrors(schema, level, path), ...embeddedErrors(schema, path));
  errors.push(...metaErrors(schema, level, path));
  return errors;
}

const LEVEL_WORDS: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
};

function typeErrors(schema: Schema, level: Level, path: string): FieldError[] {
  const { type = "" } = schema;
  const isEither = schema["x-kubernetes-int-or-string"] === true;
  const errors: FieldError[] = [];
  if (isEither && preserves(schema))
    errors.push(
      invalid(
        `${path}.x-kubernetes-preserve-unknown-fields`,
        true,
        "must be false if x-kubernetes-int-or-string is true",
      ),
    );
  if (isEither && isEmbedded(schema))
    errors.push(
      invalid(
        `${path}.x-kubernetes-embedded-resource`,
        true,
        "must be false if x-kubernetes-int-or-string is true",
      ),
    );
  if (isEmbedded(schema) && type !== "object") {
    const detail = "must be object if x-kubernetes-embedded-resource is true";
    errors.push(type === "" ? required(`${path}.type`, detail) : invalid(`${path}.type`, type, detail));
  } else if (type === "" && !isEither && !preserves(schema))
    errors.push(required(`${path}.type`, LEVEL_WORDS[level]));
  if (level === "root" && type !== "" && type !== "object")
    errors.push(invalid(`${path}.type`, type, "must be object at the root"));
  return errors;
}

function embeddedErrors(schema: Schema, path: string): FieldError[] {
  if (!isEmbedded(schema)) return [];
  const errors: FieldError[] = [];
  if (schema.additionalProperties !== undefined)
    errors.push(
      forbidden(`${path}.additionalProperties`, "must not be used if x-kubernetes-embedded-resource is set"),
    );
  if (!preserves(schema) && Object.keys(schema.properties ?? {}).length === 0)
    errors.push(
      required(
        `${path}.properties`,
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ),
    );
  return errors;
}

/** What a schema may say of an object's own type and metadata. */
function metaErrors(schema: Schema, level: Level, path: string): FieldError[] {
  if (level !== "root" && !isEmbedded(schema)) return [];
  const { kind, apiVersion, metadata } = schema.properties ?? {};
  const errors: FieldError[] = [];
  if (kind !== undefined && kind.type !== "string")
    errors.push(invalid(`${path}.properties[kind].type`, kind.type ?? "", "must be string"));
  if (apiVersion !== undefined && apiVersion.type !== "string")
    errors.push(invalid(`${path}.properties[apiVersion].type`, apiVersion.type ?? "", "must be string"));
  if (metadata === undefined) return errors;
  if (metadata.type !== "object")
    errors.push(invalid(`${path}.properties[metadata].type`, metadata.type ?? "", "must be object"));
  if (level === "root" && !restrictsNamesOnly(metadata))
    errors.push(
      forbidden(
        `${path}.properties[metadata]`,
        "must not specify anything other than name and generateName, but metadata is implicitly specified",
      ),
    );
  return errors;
}

/** Words that say nothing of what the metadata may be. */
const SILENT = new Set(["properties", "type", "default", "example", "externalDocs"]);

function restrictsNamesOnly(metadata: Schema): boolean {
  const fields = Object.keys(metadata.properties ?? {});
  const isNames = fields.every((field) => field === "name" || field === "generateName");
  return isNames && Object.keys(metadata).every((word) => SILENT.has(word));
}

interface Exempt {
  readonly anyOf: boolean;
  readonly firstAllOf: boolean;
}

const EITHER = [{ type: "integer" }, { type: "string" }];

/** The two ways in which int-or-string may be spelled out in a place where types are forbidden. */
function exemptions({ anyOf, allOf }: Schema): Exempt {
  return { anyOf: sameJson(anyOf ?? null, EITHER), firstAllOf: sameJson(allOf?.[0]?.anyOf ?? null, EITHER) };
}

function constraintErrors(schema: Schema, path: string, exempt: Exempt): FieldError[] {
  const none: Exempt = { anyOf: false, firstAllOf: false };
  const errors: FieldError[] = [];
  if (!exempt.anyOf)
    for (const [i, each] of (schema.anyOf ?? []).entries())
      errors.push(...nestedErrors(each, `${path}.anyOf[${i}]`, none));
  for (const [i, each] of (schema.allOf ?? []).entries())
    errors.push(
      ...nestedErrors(each, `${path}.allOf[${i}]`, { ...none, anyOf: exempt.firstAllOf && i === 0 }),
    );
  for (const [i, each] of (schema.oneOf ?? []).entries())
    errors.push(...nestedErrors(each, `${path}.oneOf[${i}]`, none));
  if (schema.not !== undefined) errors.push(...nestedErrors(schema.not, `${path}.not`, none));
  const problem = patternProblem(schema.pattern ?? "");
  if (problem !== undefined)
    errors.push(
      invalid(`${path}.pattern`, schema.pattern, `must be a valid regular expression, but isn't: ${problem}`),
    );
  return errors;
}

function patternProblem(pattern: string): string | undefined {
  if (pattern === "") return undefined;
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    return explain(error);
  }
}

const SHAPE_WORDS = [
  ["type", "must be empty to be structural"],
  ["title", "must be empty to be structural"],
  ["description", "must be empty to be structural"],
  ["nullable", "must be false to be structural"],
  ["x-kubernetes-preserve-unknown-fields", "must be false to be structural"],
  ["x-kubernetes-embedded-resource", "must be false to be structural"],
  ["x-kubernetes-int-or-string", "must be false to be structural"],
  ["x-kubernetes-list-map-keys", "must be empty to be structural"],
  ["x-kubernetes-list-type", "must be undefined to be structural"],
  ["x-kubernetes-map-type", "must be undefined to be structural"],
  ["x-kubernetes-validations", "must be empty to be structural"],
] as const;

/** What may not be said below allOf, anyOf, oneOf and not. */
function nestedErrors(schema: Schema, path: string, exempt: Exempt): FieldError[] {
  const errors = constraintErrors(schema, path, exempt);
  const none: Exempt = { anyOf: false, firstAllOf: false };
  const items = itemsOf(schema);
  if (items !== undefined) errors.push(...nestedErrors(items, `${path}.items`, none));
  for (const [field, child] of Object.entries(schema.properties ?? {}))
    errors.push(...nestedErrors(child, `${path}.properties[${field}]`, none));
  if (schema.additionalProperties !== undefined)
    errors.push(forbidden(`${path}.additionalProperties`, "must be undefined to be structural"));
  if (defaultOf(schema) !== undefined)
    errors.push(forbidden(`${path}.default`, "must be undefined to be structural"));
  for (const [word, detail] of SHAPE_WORDS)
    if (says(schema[word])) errors.push(forbidden(`${path}.${word}`, detail));
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, "metadata"))
    errors.push(forbidden(`${path}.properties[metadata]`, "must not be specified in a nested context"));
  return errors;
}

function says(value: unknown): boolean {
  return (
    value !== undefined && value !== false && value !== "" && !(Array.isArray(value) && value.length === 0)
  );
}
