import { Fault } from "#fault/fault";
import { canonicalQuantity } from "#kube/quantity";
import { isObject, type Json, type JsonObject, setOwn } from "../json.ts";
import { type Definition, type FieldType, fieldOf, type Scalar, shapeOf, shortName } from "../schema.ts";

/** A value that does not fit its field's type; the message is what Go's decoder would say. */
export class MisfitFault extends Fault<"Misfit"> {
  constructor(message: string) {
    super("Misfit", message);
  }
}

/** An object as the API's types would hold it, and the fields they had no room for. */
export interface Conformed {
  readonly value: JsonObject;
  /** Paths such as `spec.containers[0].foo`. */
  readonly unknown: readonly string[];
}

/** Fits JSON to an object's type: unknown fields and nulls are left out, numbers become quantities where the type says so. @throws {MisfitFault} */
export function conform(value: JsonObject, type: FieldType): Conformed {
  const shape = shapeOf(type);
  if (shape.is !== "struct") throw new Error(`broken invariant: ${JSON.stringify(type)} is no object's type`);
  const unknown: string[] = [];
  const out = fitStruct(value, shape, { path: "", owner: "", unknown });
  return { value: out, unknown };
}

interface Place {
  readonly path: string;
  /** The Go struct that has the field. */
  readonly owner: string;
  readonly unknown: string[];
}

function fit(value: Json, type: FieldType, place: Place): Json {
  const shape = shapeOf(type);
  switch (shape.is) {
    case "scalar":
      return fitScalar(value, shape.scalar, place);
    case "struct":
      if (isOther(value, type)) return value;
      if (!isObject(value)) throw misfit(value, `v1.${shortName(shape.name)}`, place);
      return fitStruct(value, shape, place);
    case "list":
      if (!Array.isArray(value)) throw misfit(value, goType(type), place);
      return value.map((item, i) =>
        item === null
          ? zeroOf(shape.type.list)
          : fit(item, shape.type.list, { ...place, path: `${place.path}[${i}]` }),
      );
    case "map":
      if (!isObject(value)) throw misfit(value, goType(type), place);
      return fitMap(value, shape.type.map, place);
    default:
      return shape satisfies never;
  }
}

function isOther(value: Json, type: FieldType): boolean {
  if (typeof type === "string" || !("or" in type)) return false;
  return type.or === "list" ? Array.isArray(value) : typeof value === "boolean";
}

function fitStruct(
  value: JsonObject,
  { name, definition }: { readonly name: string; readonly definition: Definition },
  { path, unknown }: Place,
): JsonObject {
  const out: JsonObject = {};
  const owner = shortName(name);
  for (const field of Object.keys(value)) {
    const inner = value[field] ?? null;
    const type = fieldOf(definition, field);
    // Most values are text where text belongs.
    if (type === "string" && typeof inner === "string") {
      setOwn(out, field, inner);
      continue;
    }
    const fieldPath = path === "" ? field : `${path}.${field}`;
    if (type === undefined) unknown.push(fieldPath);
    else if (inner !== null) setOwn(out, field, fit(inner, type, { path: fieldPath, owner, unknown }));
  }
  return out;
}

function fitMap(value: JsonObject, type: FieldType, place: Place): JsonObject {
  const out: JsonObject = {};
  for (const [key, inner] of Object.entries(value)) {
    const path = `${place.path}.${key}`;
    setOwn(out, key, inner === null ? zeroOf(type) : fit(inner, type, { ...place, path }));
  }
  return out;
}

const QUANTITY = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?$/;
const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function fitScalar(value: Json, scalar: Scalar, place: Place): Json {
  switch (scalar) {
    case "any":
    case "json":
      return value;
    case "string":
      if (typeof value !== "string") throw misfit(value, "string", place);
      return value;
    case "boolean":
      if (typeof value !== "boolean") throw misfit(value, "bool", place);
      return value;
    case "double":
      if (typeof value !== "number") throw misfit(value, "float64", place);
      return value;
    case "int32":
    case "int64":
      if (typeof value !== "number" || !isWhole(value, scalar)) throw misfit(value, scalar, place);
      return value;
    case "bytes":
      return fitBytes(value, place);
    case "quantity":
      return fitQuantity(value);
    case "int-or-string":
      if (typeof value !== "string" && !(typeof value === "number" && isWhole(value, "int32")))
        throw misfit(value, "intstr.IntOrString", place);
      return value;
    case "time":
    case "micro-time":
      return fitTime(value, place);
    default:
      return scalar satisfies never;
  }
}

function fitBytes(value: Json, place: Place): Json {
  if (typeof value !== "string") throw misfit(value, "[]uint8", place);
  const compact = value.replace(/[\r\n]/g, "");
  if (!BASE64.test(compact)) throw new MisfitFault("illegal base64 data at input byte 0");
  return compact;
}

function fitQuantity(value: Json): Json {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || !QUANTITY.test(text))
    throw new MisfitFault(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  return canonicalQuantity(text);
}

function fitTime(value: Json, place: Place): Json {
  if (typeof value !== "string") throw misfit(value, "time.Time", place);
  if (!TIME.test(value) || Number.isNaN(Date.parse(value)))
    throw new MisfitFault(
      `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(value)} as "2006"`,
    );
  return value;
}

function isWhole(value: number, scalar: "int32" | "int64"): boolean {
  if (!Number.isInteger(value)) return false;
  return scalar === "int64" || (value >= -(2 ** 31) && value < 2 ** 31);
}

function zeroOf(type: FieldType): Json {
  const shape = shapeOf(type);
  if (shape.is === "list") return [];
  if (shape.is !== "scalar") return {};
  const zero: Partial<Record<Scalar, Json>> = {
    boolean: false,
    int32: 0,
    int64: 0,
    double: 0,
    any: null,
    json: null,
    quantity: "0",
    "int-or-string": 0,
  };
  return Object.hasOwn(zero, shape.scalar) ? (zero[shape.scalar] ?? null) : "";
}

function misfit(value: Json, type: string, { path, owner }: Place): MisfitFault {
  const fieldPath = path.replace(/\[\d+\]/g, "");
  const what = typeof value === "number" && !Number.isInteger(value) ? `number ${value}` : jsonKind(value);
  return new MisfitFault(
    `json: cannot unmarshal ${what} into Go struct field ${owner}.${fieldPath} of type ${type}`,
  );
}

function jsonKind(value: Json): string {
  if (Array.isArray(value)) return "array";
  if (isObject(value)) return "object";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function goType(type: FieldType): string {
  const shape = shapeOf(type);
  switch (shape.is) {
    case "list":
      return `[]${goType(shape.type.list)}`;
    case "map":
      return `map[string]${goType(shape.type.map)}`;
    case "struct":
      return `v1.${shortName(shape.name)}`;
    case "scalar":
      return { boolean: "bool", bytes: "[]uint8", double: "float64" }[shape.scalar as string] ?? shape.scalar;
    default:
      return shape satisfies never;
  }
}
