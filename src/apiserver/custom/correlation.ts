import { isObject, type Json, own, sameJson } from "../json.ts";
import { itemsOf, propertyOf, type Schema } from "./schema.ts";

/** A value that an update writes, with the one it takes the place of: found by a map's key or by what a list's elements are told apart by. */
export class Correlation {
  readonly now: Json;
  readonly was: Json;
  readonly #schema: Schema | undefined;
  #isSame: boolean | undefined;

  constructor(now: Json, was: Json, schema: Schema | undefined) {
    this.now = now;
    this.was = was;
    this.#schema = schema;
  }

  /** Nothing here has changed: what was wrong with it before is let through. */
  get isUnchanged(): boolean {
    this.#isSame ??= sameJson(this.now, this.was);
    return this.#isSame;
  }

  /** What a field was; undefined when that cannot be told. */
  key(field: string): Correlation | undefined {
    if (this.#schema?.["x-kubernetes-map-type"] === "atomic") return undefined;
    if (!isObject(this.now) || !isObject(this.was)) return undefined;
    const now = own(this.now, field);
    const was = own(this.was, field);
    if (now === undefined || was === undefined) return undefined;
    return new Correlation(now, was, propertyOf(this.#schema, field));
  }

  /** What an element was; undefined in lists whose elements are not told apart. */
  index(at: number): Correlation | undefined {
    if (!Array.isArray(this.now) || !Array.isArray(this.was)) return undefined;
    const now = this.now[at] ?? null;
    const was = this.#elementWas(now, this.was);
    return was === undefined ? undefined : new Correlation(now, was, itemsOf(this.#schema));
  }

  #elementWas(now: Json, was: readonly Json[]): Json | undefined {
    switch (this.#schema?.["x-kubernetes-list-type"]) {
      case "map": {
        const keys = this.#schema["x-kubernetes-list-map-keys"] ?? [];
        const keyOf = (item: Json, key: string) => (isObject(item) ? own(item, key) : undefined);
        return was.find((item) => keys.every((key) => sameJson(keyOf(item, key), keyOf(now, key))));
      }
      case "set":
        return was.find((item) => sameJson(item, now));
      default:
        return undefined;
    }
  }
}
