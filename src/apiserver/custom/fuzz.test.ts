import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#fault/fault";
import { compare, fieldsOf, mergeTyped } from "../apply/typed.ts";
import { copyJson, type Json, type JsonObject, sameJson } from "../json.ts";
import { Correlation } from "./correlation.ts";
import { fillDefaults } from "./default.ts";
import { embeddedErrors, fitEmbedded } from "./embedded.ts";
import { objectType } from "./field-type.ts";
import { listKeyErrors } from "./list-keys.ts";
import { publishedSchema } from "./open-api.ts";
import { prune } from "./prune.ts";
import { RuleTree } from "./rule-tree.ts";
import type { Schema } from "./schema.ts";
import { schemaErrors } from "./schema-rules.ts";
import { structuralErrors } from "./structural.ts";
import { Validator } from "./validator.ts";

/** The same numbers each time. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  of<T>(choices: readonly T[]): T {
    // The index is below the length.
    return choices[this.below(choices.length)] as T;
  }
}

const FIELDS = ["a", "b", "metadata", "kind", "apiVersion", "__proto__", "constructor", "x y"];

function anyValue(dice: Dice, depth = 0): Json {
  const kind = dice.below(depth > 3 ? 5 : 8);
  if (kind === 0) return null;
  if (kind === 1) return dice.chance(50);
  if (kind === 2) return dice.of([0, 1, -1, 1.5, 2 ** 31, 1e300]);
  if (kind < 5) return dice.of(["", "x", "10.0.0.1", "2026-01-01", "a".repeat(300)]);
  if (kind === 5) return Array.from({ length: dice.below(4) }, () => anyValue(dice, depth + 1));
  const out: JsonObject = {};
  for (let i = dice.below(4); i > 0; i--)
    Object.defineProperty(out, dice.of(FIELDS), {
      value: anyValue(dice, depth + 1),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  return out;
}

function anySchema(dice: Dice, depth = 0): Schema {
  const type = dice.of(
    depth > 3
      ? ["string", "integer", "boolean"]
      : ["string", "integer", "number", "boolean", "array", "object", "object", "either"],
  );
  if (type === "either") return { "x-kubernetes-int-or-string": true };
  const nullable = dice.chance(10) ? { nullable: true } : {};
  const withDefault = dice.chance(15) && depth > 0 ? { default: anyValue(dice, 3) } : {};
  const base = { type, ...nullable, ...withDefault };
  if (type === "array") {
    const listType = dice.of([undefined, "atomic", "set", "map"]);
    return {
      ...base,
      items: anySchema(dice, depth + 1),
      ...(listType === undefined ? {} : { "x-kubernetes-list-type": listType }),
      ...(listType === "map" ? { "x-kubernetes-list-map-keys": ["a"] } : {}),
    };
  }
  if (type !== "object") return { ...base, ...anyConstraint(dice) };
  if (dice.chance(20)) return { ...base, additionalProperties: anySchema(dice, depth + 1) };
  const fields = FIELDS.slice(0, dice.below(4)).map((field) => [field, anySchema(dice, depth + 1)] as const);
  return {
    ...base,
    properties: Object.fromEntries(fields),
    ...(dice.chance(30) ? { "x-kubernetes-preserve-unknown-fields": true } : {}),
    ...(dice.chance(15) ? { "x-kubernetes-embedded-resource": true } : {}),
    ...(dice.chance(20) ? { oneOf: [{ required: ["a"] }, { required: ["b"] }] } : {}),
    ...(dice.chance(20) ? { required: ["a"] } : {}),
    ...(dice.chance(20) ? { "x-kubernetes-validations": [{ rule: "has(self.a) && self == oldSelf" }] } : {}),
  };
}

function anyConstraint(dice: Dice): Partial<Schema> {
  return dice.of<Partial<Schema>>([
    {},
    { minimum: 1, maximum: 3 },
    { minLength: 1, maxLength: 5 },
    { pattern: "^[a-z]*$" },
    { enum: ["x", 1, null] },
    { format: dice.of(["ipv4", "date", "int32", "nonsense"]) },
    { multipleOf: 0.5 },
    { anyOf: [{ minimum: 1 }, { pattern: "x" }] },
    { not: { enum: ["x"] } },
  ]);
}

test("whatever schema meets whatever value: no crash; pruning and defaults change nothing twice", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const dice = new Dice(seed);
    const schema: Schema = { ...anySchema(dice), type: "object" };
    const value = anyValue(dice);
    const why = `seed ${seed}`;
    structuralErrors("root", schema);
    schemaErrors("root", schema, { checksRules: false });
    publishedSchema(schema, { group: "g.io", version: "v1", kind: "K", plural: "ks", namespaced: true }, 2);
    const once = copyJson(value);
    prune(once, schema, { isRoot: true });
    const twice = copyJson(once);
    assert.deepEqual(prune(twice, schema, { isRoot: true }), [], why);
    assert.ok(sameJson(once, twice), why);
    fillDefaults(once, schema);
    // A default may itself hold what pruning takes away, where it was not checked: the whole settles after that.
    prune(once, schema, { isRoot: true });
    fillDefaults(once, schema);
    const settled = copyJson(once);
    fillDefaults(settled, schema);
    assert.ok(sameJson(once, settled), why);
    const validator = new Validator(schema);
    validator.check(once);
    const same = validator.check(once, "", new Correlation(once, copyJson(once), schema));
    assert.ok(same.flaws.length <= validator.check(once).flaws.length, why);
    embeddedErrors(once, schema);
    fitEmbedded(copyJson(once), schema, { isTolerant: true });
    listKeyErrors(once, schema);
    RuleTree.of(schema, { isRoot: true })?.check(once, {
      path: undefined,
      old: once,
      correlation: undefined,
    });
  }
});

test("server-side apply by a custom schema: what is merged in is there, and nothing has changed when it is merged again", () => {
  for (let seed = 1; seed <= 1000; seed++) {
    const dice = new Dice(seed);
    const schema: Schema = { ...anySchema(dice), type: "object" };
    const type = objectType(schema);
    const live = asObject(anyValue(dice));
    const config = asObject(anyValue(dice));
    try {
      const merged = mergeTyped(live, config, type);
      const again = mergeTyped(merged, config, type);
      assert.equal(compare(merged, again, type).changed.children.size, 0, `seed ${seed}`);
      fieldsOf(merged, type);
    } catch (error) {
      // Lists may say an element twice, which apply refuses before it merges.
      if (!isFault(error)) throw error;
    }
  }
});

function asObject(value: Json): JsonObject {
  const out: JsonObject = {};
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    for (const [field, inner] of Object.entries(value))
      if (!["metadata", "__proto__"].includes(field)) out[field] = inner;
  return out;
}
