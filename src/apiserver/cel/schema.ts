import { type Environment, environment } from "./environment.ts";
import { sizesOf } from "./sizes.ts";
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  type Field,
  INT,
  type ListMerge,
  listOf,
  mapOf,
  optionalOf,
  STRING,
  TIMESTAMP,
  type Type,
} from "./types.ts";

/** What matters here of a structural OpenAPI schema. */
export interface RuleSchema {
  readonly type?: string | undefined;
  readonly format?: string | undefined;
  readonly properties?: Readonly<Record<string, RuleSchema>> | undefined;
  readonly additionalProperties?: RuleSchema | boolean | undefined;
  readonly items?: RuleSchema | undefined;
  readonly nullable?: boolean | undefined;
  readonly maxLength?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly maxProperties?: number | undefined;
  readonly required?: readonly string[] | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly default?: unknown;
  readonly "x-kubernetes-int-or-string"?: boolean | undefined;
  readonly "x-kubernetes-embedded-resource"?: boolean | undefined;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean | undefined;
  readonly "x-kubernetes-list-type"?: string | undefined;
  readonly "x-kubernetes-list-map-keys"?: readonly string[] | undefined;
}

const RESERVED = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);
/** What rules see of a resource's metadata. */
export const META: RuleSchema = {
  type: "object",
  properties: { name: { type: "string" }, generateName: { type: "string" } },
};

/** The environment of a validation rule: `self` as the schema at the rule's place types it, and `oldSelf`.
 *  `isRoot`: the schema is a whole resource's. `optionalOldSelf`: oldSelf is an optional. Undefined where no rule may be. */
export function schemaEnvironment(
  schema: RuleSchema,
  options: { readonly isRoot?: boolean; readonly optionalOldSelf?: boolean } = {},
): Environment | undefined {
  const type = schemaType(schema, "selfType", options.isRoot === true);
  if (type === undefined) return undefined;
  const sizes = sizesOf(schema, options.isRoot === true);
  return {
    ...environment({ self: type, oldSelf: options.optionalOldSelf ? optionalOf(type) : type }),
    ...(sizes === undefined ? {} : { sizes }),
  };
}

/** How a property is named in an expression: `__dot__` for `.` and so on; undefined when it cannot be. */
export function escapeName(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`;
  const escaped = name.replace(/__|[.\-/]/g, (found) => ESCAPES[found] ?? found);
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(escaped) ? escaped : undefined;
}

const ESCAPES: Readonly<Record<string, string>> = {
  __: "__underscores__",
  ".": "__dot__",
  "-": "__dash__",
  "/": "__slash__",
};

/** The type that rules see at a place of the schema; undefined where they see nothing. Object types are named by their path. */
export function schemaType(schema: RuleSchema, name: string, isRoot = false): Type | undefined {
  if (schema["x-kubernetes-int-or-string"]) return DYN;
  switch (schema.type) {
    case "object":
      return mapType(schema, name) ?? fieldsType(schema, name, isRoot);
    case "array":
      return arrayType(schema, name);
    case "string":
      return STRING_FORMATS[schema.format ?? ""] ?? STRING;
    case "integer":
      return INT;
    case "number":
      return DOUBLE;
    case "boolean":
      return BOOL;
    default:
      return undefined;
  }
}

const STRING_FORMATS: Readonly<Record<string, Type>> = {
  byte: BYTES,
  duration: DURATION,
  date: TIMESTAMP,
  "date-time": TIMESTAMP,
};

function mapType(schema: RuleSchema, name: string): Type | undefined {
  const { additionalProperties: values } = schema;
  if (typeof values !== "object") return values === true ? mapOf(STRING, DYN) : undefined;
  const value = schemaType(values, `${name}.@values`);
  return value === undefined ? undefined : mapOf(STRING, value);
}

function arrayType(schema: RuleSchema, name: string): Type | undefined {
  const of = schema.items === undefined ? undefined : schemaType(schema.items, `${name}.@items`);
  return of === undefined ? undefined : listOf(of, mergeOf(schema));
}

function mergeOf(schema: RuleSchema): ListMerge | undefined {
  if (schema["x-kubernetes-list-type"] === "set") return { as: "set" };
  if (schema["x-kubernetes-list-type"] !== "map") return undefined;
  return { as: "map", keys: schema["x-kubernetes-list-map-keys"] ?? [] };
}

/** Fields get their types when they are first asked for. */
function fieldsType(schema: RuleSchema, name: string, isRoot: boolean): Type {
  const properties =
    isRoot || schema["x-kubernetes-embedded-resource"] ? asResource(schema) : schema.properties;
  const names = new Map(
    Object.keys(properties ?? {}).flatMap((json) => {
      const escaped = escapeName(json);
      if (escaped === undefined) return [];
      // After a dot a reserved word is a name like any other; the escaped form is from before kube-apiserver saw it so.
      return RESERVED.has(json)
        ? [[escaped, json] as const, [json, json] as const]
        : [[escaped, json] as const];
    }),
  );
  const known = new Map<string, Field | undefined>();
  const field = (escaped: string) => {
    const json = names.get(escaped);
    if (json === undefined || properties === undefined) return undefined;
    if (!known.has(escaped)) {
      const inner = properties[json];
      const type = inner === undefined ? undefined : schemaType(inner, `${name}.${json}`);
      known.set(escaped, type === undefined ? undefined : { type, json });
    }
    return known.get(escaped);
  };
  return { kind: "object", name, field };
}

/** Of a resource's metadata rules see the names only. */
function asResource({ properties }: RuleSchema): Readonly<Record<string, RuleSchema>> {
  return { ...properties, apiVersion: { type: "string" }, kind: { type: "string" }, metadata: META };
}
