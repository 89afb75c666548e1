import { escapeName, META, type RuleSchema } from "./schema.ts";

/** The largest request that is read. */
const MAX_REQUEST_BYTES = 3 * 1024 * 1024;
const TEXT_BYTES: Readonly<Record<string, { readonly least: number; readonly most: number }>> = {
  duration: { least: 3, most: 32 },
  date: { least: 12, most: 12 },
  "date-time": { least: 21, most: 32 },
};

/** How large the values of a schema can get. @see SchemaDeclType in apiserver/pkg/cel/common/schemas.go */
export interface Sizes {
  /** The fewest bytes of JSON. */
  readonly leastBytes: number;
  /** Characters, elements or entries; none where there is nothing to count. */
  readonly most: number;
  readonly fields?: ReadonlyMap<string, Sizes>;
  readonly elements?: Sizes;
  readonly keys?: Sizes;
}

/** How often a value of so few bytes fits into one request. */
export function mostInOneRequest({ leastBytes }: Sizes): number {
  return Math.floor(MAX_REQUEST_BYTES / (leastBytes + 1));
}

/** Undefined where rules see nothing. */
export function sizesOf(schema: RuleSchema, isRoot = false): Sizes | undefined {
  if (schema["x-kubernetes-int-or-string"])
    return { leastBytes: 1, most: quadrupled(schema.maxLength) ?? MAX_REQUEST_BYTES - 2 };
  switch (schema.type) {
    case "array":
      return arraySizes(schema);
    case "object":
      return objectSizes(schema, isRoot);
    case "string":
      return textSizes(schema);
    case "boolean":
      return { leastBytes: 4, most: 0 };
    case "number":
    case "integer":
      return { leastBytes: 1, most: 0 };
    default:
      return undefined;
  }
}

/** A character is up to four bytes. */
function quadrupled(length: number | undefined): number | undefined {
  return length === undefined ? undefined : Math.max(0, length) * 4;
}

function child(schema: RuleSchema): Sizes | undefined {
  return sizesOf(schema, schema["x-kubernetes-embedded-resource"] === true);
}

function arraySizes({ items, maxItems }: RuleSchema): Sizes | undefined {
  const elements = items === undefined ? undefined : child(items);
  if (elements === undefined) return undefined;
  const most = maxItems ?? Math.floor((MAX_REQUEST_BYTES - 2) / (elements.leastBytes + 1));
  return { leastBytes: 2, most, elements };
}

function objectSizes(schema: RuleSchema, isRoot: boolean): Sizes | undefined {
  const { additionalProperties: values, maxProperties, required = [] } = schema;
  if (typeof values === "object") {
    const elements = child(values);
    if (elements === undefined) return undefined;
    const most = maxProperties ?? Math.floor((MAX_REQUEST_BYTES - 2) / (elements.leastBytes + 6));
    return { leastBytes: 2, most, elements, keys: { leastBytes: 2, most: 0 } };
  }
  const text: RuleSchema = { type: "string" };
  const typed = isRoot ? { apiVersion: text, kind: text, metadata: META } : {};
  const fields = new Map<string, Sizes>();
  let leastBytes = 2;
  for (const [name, property] of Object.entries({ ...schema.properties, ...typed })) {
    const sizes = child(property);
    if (sizes === undefined) continue;
    fields.set(escapeName(name) ?? name, sizes);
    if (required.includes(name) && property.default === undefined)
      leastBytes += name.length + sizes.leastBytes + 4;
  }
  return { leastBytes, most: 0, fields };
}

function textSizes({ format = "", maxLength, enum: allowed }: RuleSchema): Sizes {
  const known = TEXT_BYTES[format];
  if (known !== undefined) return { leastBytes: known.least, most: known.most };
  if (format === "byte") return { leastBytes: 2, most: maxLength ?? MAX_REQUEST_BYTES - 2 };
  const longest = allowed?.length
    ? Math.max(0, ...allowed.map((each) => (typeof each === "string" ? Buffer.byteLength(each) : 0)))
    : MAX_REQUEST_BYTES - 2;
  return { leastBytes: 2, most: quadrupled(maxLength) ?? longest };
}

/** The sizes at the end of a path such as `self`, `list`, `@items`. */
export function sizesAt(root: Sizes, [, ...path]: readonly string[]): Sizes | undefined {
  let at: Sizes | undefined = root;
  for (const step of path) {
    if (step === "@items" || step === "@values") at = at.elements;
    else at = step === "@keys" ? at.keys : at.fields?.get(step);
    if (at === undefined) return undefined;
  }
  return at;
}
