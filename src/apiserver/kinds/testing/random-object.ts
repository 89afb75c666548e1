import type { Json, JsonObject } from "../../json.ts";
import { DEFINITIONS, type Definition, type FieldType, type Scalar, shapeOf } from "../../schema.ts";

/** Numbers from 0 up to, not including, `below`: the same ones for the same seed. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const TEXTS = [
  "",
  "a",
  "web",
  "Web_1",
  "-",
  "example.com/name",
  "metadata.name",
  "metadata.labels['a']",
  "10.0.0.1",
  "10.43.0.0/16",
  "fd00::1",
  "None",
  "TCP",
  "ClusterIP",
  "ExternalName",
  "LoadBalancer",
  "In",
  "Exists",
  "Always",
  "Never",
  "Local",
  "Localhost",
  "Storage",
  "Service",
  "Indexed",
  "v1",
  "../x",
  "*/5 * * * *",
  "@daily",
  "Europe/Berlin",
  "1-3,7",
  "50%",
  "x".repeat(70),
  "\u0000\u{1f600}",
];
const NUMBERS = [0, 1, -1, 2, 80, 443, 30000, 65536, 2 ** 31 - 1];
const QUANTITIES = ["0", "1", "-1", "100m", "1.5Gi", "1Mi", "5"];

/** An object that fits a definition, of fields and values taken at random: most often nonsense, always of the right types. */
export class RandomObjects {
  readonly #random: (below: number) => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  object(definition: string): JsonObject {
    const found = DEFINITIONS[definition];
    if (found === undefined) throw new Error(`no schema for ${definition}`);
    return this.#struct(found, 0);
  }

  /** The object with some of its fields gone, and some replaced by others of their type. */
  mutate(object: JsonObject, definition: string): JsonObject {
    const other = this.object(definition);
    return this.#mix(object, other);
  }

  #mix(a: JsonObject, b: JsonObject): JsonObject {
    const out: JsonObject = {};
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const left = a[key];
      const right = b[key];
      const dice = this.#random(10);
      const chosen =
        isPlain(left) && isPlain(right) && dice < 7 ? this.#mix(left, right) : dice < 7 ? left : right;
      if (chosen !== undefined && dice !== 0) out[key] = chosen;
    }
    return out;
  }

  #struct({ fields }: Definition, depth: number): JsonObject {
    const out: JsonObject = {};
    const names = Object.keys(fields);
    const share = depth < 2 ? 2 : depth < 5 ? 3 : 5;
    for (const name of names) {
      const type = fields[name];
      if (type === undefined || this.#random(share) > 0 || name === "managedFields") continue;
      out[name] = this.#value(type, depth + 1);
    }
    return out;
  }

  #value(type: FieldType, depth: number): Json {
    const shape = shapeOf(type);
    const count = depth > 9 ? 0 : this.#random(3);
    switch (shape.is) {
      case "scalar":
        return this.#scalar(shape.scalar);
      case "struct":
        return depth > 12 ? {} : this.#struct(shape.definition, depth);
      case "list":
        return Array.from({ length: count }, () => this.#value(shape.type.list, depth));
      case "map":
        return Object.fromEntries(
          Array.from({ length: count }, () => [this.#text(), this.#value(shape.type.map, depth)]),
        );
      default:
        return shape satisfies never;
    }
  }

  #scalar(scalar: Scalar): Json {
    switch (scalar) {
      case "string":
        return this.#text();
      case "boolean":
        return this.#random(2) === 0;
      case "int32":
      case "int64":
        return this.#pick(NUMBERS);
      case "double":
        return this.#random(100) / 7;
      case "bytes":
        return Buffer.from(this.#text()).toString("base64");
      case "quantity":
        return this.#pick(QUANTITIES);
      case "int-or-string":
        return this.#random(2) === 0 ? this.#pick(NUMBERS) : this.#text();
      case "time":
      case "micro-time":
        return "2026-01-02T03:04:05Z";
      case "any":
      case "json":
        return this.#random(2) === 0 ? this.#text() : { a: this.#text() };
      default:
        return scalar satisfies never;
    }
  }

  #text(): string {
    return this.#pick(TEXTS);
  }

  #pick<T>(from: readonly T[]): T {
    const value = from[this.#random(from.length)];
    if (value === undefined) throw new Error("broken invariant: picked past the end");
    return value;
  }
}

function isPlain(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
