/** Reading JSON that others wrote, key by key; each reader says which key it did not like. */
import { PluginError } from "./plugin-error.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A place in a document, for its sentence: `runtimeConfig.mac`. Absent and null are the same, as in Go. */
export class JsonPlace {
  readonly value: unknown;
  readonly path: string;

  constructor(value: unknown, path: string) {
    this.value = value ?? undefined;
    this.path = path;
  }

  at(key: string): JsonPlace {
    const path = this.path ? `${this.path}.${key}` : key;
    const object = this.object() ?? {};
    if (Object.hasOwn(object, key)) return new JsonPlace(object[key], path);
    // Go takes a key in whatever case, and containerd writes some of them in its own.
    const other = Object.keys(object).find((each) => each.toLowerCase() === key.toLowerCase());
    return new JsonPlace(other === undefined ? undefined : object[other], path);
  }

  object(): JsonObject | undefined {
    return this.#of("an object", isObject);
  }

  string(): string | undefined {
    return this.#of("a string", (value) => typeof value === "string");
  }

  boolean(): boolean | undefined {
    return this.#of("true or false", (value) => typeof value === "boolean");
  }

  /** A whole number from 0 on. */
  count(): number | undefined {
    return this.#of(
      "a whole number",
      (value): value is number => Number.isInteger(value) && Number(value) >= 0,
    );
  }

  list(): readonly JsonPlace[] {
    const list = this.#of("a list", (value) => Array.isArray(value)) ?? [];
    return list.map((value, i) => new JsonPlace(value, `${this.path}[${i}]`));
  }

  strings(): readonly string[] {
    return this.list().map((place) => place.string() ?? place.refuse("is not a string"));
  }

  /** @throws {PluginError} */
  refuse(why: string): never {
    throw new PluginError("badConfig", `Cannot use ${this.path} of the network configuration: it ${why}`);
  }

  #of<T>(what: string, is: (value: unknown) => value is T): T | undefined {
    if (this.value === undefined || is(this.value)) return this.value;
    return this.refuse(`is not ${what}`);
  }
}
