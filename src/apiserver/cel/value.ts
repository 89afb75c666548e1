/** What expressions compute with. JSON becomes values lazily (`json-value.ts`). */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | TypeValue
  | Optional
  | Opaque
  | CelMap
  | readonly Value[];

/** An unsigned 64-bit number. */
export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

/** A moment, in nanoseconds since 1970. */
export class Timestamp {
  readonly nanos: bigint;
  /** How far ahead of UTC the clock was that it was read from. */
  readonly offsetMinutes: number;

  constructor(nanos: bigint, offsetMinutes = 0) {
    this.nanos = nanos;
    this.offsetMinutes = offsetMinutes;
  }
}

export class Duration {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** A type as a value: what `type(x)` is. */
export class TypeValue {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

export class Optional {
  readonly value: Value | undefined;

  constructor(value: Value | undefined) {
    this.value = value;
  }
}

/** A value of a library's own type, such as `net.IP`. */
export abstract class Opaque {
  abstract readonly typeName: string;

  abstract equals(other: Opaque): boolean;
}

/** A map, or an object with fields. */
export abstract class CelMap {
  abstract readonly size: number;

  abstract get(key: Value): Value | undefined;

  abstract has(key: Value): boolean;

  abstract keys(): readonly Value[];

  /** The name of an object's type; undefined for a map. */
  get typeName(): string | undefined {
    return undefined;
  }
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** How many Unicode characters a text has. */
export function characters(text: string): number {
  return isPlain(text) ? text.length : [...text].length;
}

/** Whether every UTF-16 unit is a character. */
export function isPlain(text: string): boolean {
  return !/[\ud800-\udfff]/.test(text);
}

/** The name of a value's type, as `type(x)` prints it. */
export function typeName(value: Value): string {
  if (value === null) return "null_type";
  if (isList(value)) return "list";
  if (value instanceof CelMap) return value.typeName ?? "map";
  if (value instanceof Opaque) return value.typeName;
  return plainTypeName(value);
}

function plainTypeName(value: Value): string {
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "double";
    case "string":
      return "string";
    default:
      return builtInName(value);
  }
}

function builtInName(value: unknown): string {
  if (value instanceof Uint) return "uint";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Timestamp) return "google.protobuf.Timestamp";
  if (value instanceof Duration) return "google.protobuf.Duration";
  return value instanceof Optional ? "optional_type" : "type";
}

/** Two keys that are equal have one text: numbers of any type by what they count. */
export function keyText(key: Value): string | undefined {
  if (typeof key === "string") return `s${key}`;
  if (typeof key === "bigint") return `n${key}`;
  if (key instanceof Uint) return `n${key.value}`;
  if (typeof key === "boolean") return `b${key}`;
  if (typeof key === "number") return Number.isInteger(key) ? `n${BigInt(key)}` : `d${key}`;
  if (key instanceof Timestamp) return `t${key.nanos}`;
  if (key instanceof Duration) return `l${key.nanos}`;
  return undefined;
}

/** A map made by an expression. */
export class MadeMap extends CelMap {
  readonly #entries = new Map<string, readonly [Value, Value]>();

  static of(entries: Iterable<readonly [Value, Value]>): MadeMap {
    const map = new MadeMap();
    for (const [key, value] of entries) map.set(key, value);
    return map;
  }

  /** False when the key is there already or cannot be one. */
  set(key: Value, value: Value): boolean {
    const text = keyText(key);
    if (text === undefined || this.#entries.has(text)) return false;
    this.#entries.set(text, [key, value]);
    return true;
  }

  /** Takes the place of what was there. False when the key cannot be one. */
  put(key: Value, value: Value): boolean {
    this.remove(key);
    return this.set(key, value);
  }

  remove(key: Value): void {
    const text = keyText(key);
    if (text !== undefined) this.#entries.delete(text);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    const text = keyText(key);
    return text === undefined ? undefined : this.#entries.get(text)?.[1];
  }

  has(key: Value): boolean {
    const text = keyText(key);
    return text !== undefined && this.#entries.has(text);
  }

  keys(): readonly Value[] {
    return [...this.#entries.values()].map(([key]) => key);
  }
}

const GO_NAMES: Readonly<Record<string, string>> = {
  null_type: "types.Null",
  "google.protobuf.Timestamp": "types.Timestamp",
  "google.protobuf.Duration": "types.Duration",
  optional_type: "*types.Optional",
  type: "*types.Type",
  "net.IP": "cel.IP",
  "net.CIDR": "cel.CIDR",
  "kubernetes.URL": "cel.URL",
  "kubernetes.Quantity": "cel.Quantity",
  "kubernetes.Semver": "cel.Semver",
  "kubernetes.NamedFormat": "*cel.Format",
};

/** What Go calls a value of such a type, which some messages show. */
export function goTypeName(value: Value): string {
  const name = typeName(value);
  return GO_NAMES[name] ?? `types.${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
}
