import { isObject, type JsonObject, own } from "../json.ts";
import { runtimeFault } from "./fault.ts";
import { formatDuration, formatTimestamp, parseDuration, parseTimestamp } from "./time.ts";
import { DYN, type ListMerge, type ObjectType, type Type } from "./types.ts";
import { CelMap, Duration, Opaque, Optional, Timestamp, TypeValue, Uint, type Value } from "./value.ts";

/** Lists whose place in the schema says they are sets or maps. */
const merges = new WeakMap<readonly Value[], ListMerge>();

/** How a list is equal to others, when not by position. */
export function listMerge(list: readonly Value[]): ListMerge | undefined {
  return merges.get(list);
}

/** A list that is equal to others as `merge` says. */
export function withMerge(list: readonly Value[], merge: ListMerge | undefined): readonly Value[] {
  if (merge !== undefined) merges.set(list, merge);
  return list;
}

/** JSON as a value of a type; values stay what they are. Objects are read when they are asked. Numbers are ints where
 *  the type says so, or where it says nothing and they are whole. @throws {CelFault} when it does not fit */
export function fromJson(raw: unknown, type: Type): Value {
  if (type.kind === "optional" && !(raw instanceof Optional))
    return new Optional(raw === undefined ? undefined : fromJson(raw, type.of));
  if (raw === null || raw === undefined) return null;
  switch (typeof raw) {
    case "string":
      return textValue(raw, type);
    case "number":
      return numberValue(raw, type);
    case "boolean":
    case "bigint":
      return raw;
    default:
      return objectValue(raw, type);
  }
}

function objectValue(raw: unknown, type: Type): Value {
  if (Array.isArray(raw)) return listValue(raw, type);
  if (isOther(raw)) return raw;
  if (isObject(raw)) return new JsonMap(raw, type);
  throw runtimeFault("invalid data, expected a JSON value");
}

function isOther(raw: unknown): raw is Value {
  const classes = [CelMap, Opaque, Optional, Uint, Timestamp, Duration, TypeValue, Uint8Array];
  return classes.some((made) => raw instanceof made);
}

function listValue(raw: readonly unknown[], type: Type): readonly Value[] {
  const of = type.kind === "list" ? type.of : DYN;
  const items = raw.map((item) => fromJson(item, of));
  return withMerge(items, type.kind === "list" ? type.merge : undefined);
}

function numberValue(raw: number, type: Type): Value {
  if (type.kind === "double" || !Number.isInteger(raw)) return raw;
  return type.kind === "uint" ? new Uint(BigInt(raw)) : BigInt(raw);
}

function textValue(raw: string, type: Type): Value {
  if (type.kind === "timestamp")
    return parseTimestamp(/^\d{4}-\d\d-\d\d$/.test(raw) ? `${raw}T00:00:00Z` : raw);
  if (type.kind === "duration") return parseDuration(raw);
  return type.kind === "bytes" ? new Uint8Array(Buffer.from(raw, "base64")) : raw;
}

/** A JSON object as a map, or as an object with known fields. */
export class JsonMap extends CelMap {
  readonly raw: JsonObject;
  readonly #object: ObjectType | undefined;
  readonly #valueType: Type;
  readonly #read = new Map<string, Value>();

  constructor(raw: JsonObject, type: Type) {
    super();
    this.raw = raw;
    this.#object = type.kind === "object" ? type : undefined;
    this.#valueType = type.kind === "map" ? type.value : DYN;
  }

  override get typeName(): string | undefined {
    return this.#object?.name;
  }

  get size(): number {
    return Object.keys(this.raw).length;
  }

  get(key: Value): Value | undefined {
    if (typeof key !== "string") return undefined;
    const before = this.#read.get(key);
    if (before !== undefined) return before;
    const [field, type] = this.#fieldOf(key);
    if (field === undefined || !Object.hasOwn(this.raw, field)) return undefined;
    const value = fromJson(own(this.raw, field), type);
    this.#read.set(key, value);
    return value;
  }

  has(key: Value): boolean {
    if (typeof key !== "string") return false;
    const [field] = this.#fieldOf(key);
    return field !== undefined && Object.hasOwn(this.raw, field) && this.raw[field] !== undefined;
  }

  /** A map's keys; for an object, its fields as JSON names them. */
  keys(): readonly Value[] {
    return Object.keys(this.raw);
  }

  #fieldOf(key: string): readonly [string | undefined, Type] {
    if (this.#object === undefined) return [key, this.#valueType];
    const field = this.#object.field(key);
    if (field === undefined) return [Object.hasOwn(this.raw, key) ? key : undefined, DYN];
    return [field.json, field.type];
  }
}

/** A value as JSON, for mutations and messages. @throws {CelFault} when JSON cannot say it */
export function toJson(value: Value): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((item: Value) => toJson(item));
  if (value instanceof CelMap) return mapToJson(value);
  return leafToJson(value);
}

function leafToJson(value: Value): unknown {
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value);
  if (value instanceof Optional) return value.value === undefined ? null : toJson(value.value);
  throw runtimeFault("unsupported conversion to JSON");
}

function mapToJson(map: CelMap): unknown {
  if (map instanceof JsonMap) return map.raw;
  const out: JsonObject = {};
  for (const key of map.keys()) {
    if (typeof key !== "string") throw runtimeFault("unsupported map key for JSON");
    Object.defineProperty(out, key, {
      value: toJson(map.get(key) ?? null),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return out;
}
