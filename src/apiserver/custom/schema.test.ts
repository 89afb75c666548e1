import assert from "node:assert/strict";
import { test } from "node:test";
import { copyJson, type Json, type JsonObject } from "../json.ts";
import type { FieldError } from "../kinds/kind.ts";
import { fieldErrorBody } from "../status.ts";
import { Correlation } from "./correlation.ts";
import { fillDefaults } from "./default.ts";
import { embeddedErrors } from "./embedded.ts";
import { errorsAt } from "./found.ts";
import { listKeyErrors } from "./list-keys.ts";
import { prune } from "./prune.ts";
import { RuleTree } from "./rule-tree.ts";
import type { Schema } from "./schema.ts";
import { Validator } from "./validator.ts";

const object = (properties: Record<string, Schema>, more: Partial<Schema> = {}): Schema => ({
  type: "object",
  properties,
  ...more,
});
const text: Schema = { type: "string" };
const list = (items: Schema, more: Partial<Schema> = {}): Schema => ({ type: "array", items, ...more });
const show = (errors: readonly FieldError[]) =>
  errors.map((error) => `${error.path}: ${fieldErrorBody(error)}`);

const pruned: readonly (readonly [string, Schema, Json, Json, readonly string[]])[] = [
  ["unknown fields go", object({ a: text }), { a: "1", b: 2, c: { d: 1 } }, { a: "1" }, ["b", "c"]],
  [
    "inside lists",
    object({ l: list(object({ a: text })) }),
    { l: [{ a: "1", b: 2 }, 3] },
    { l: [{ a: "1" }, 3] },
    ["l[0].b"],
  ],
  [
    "maps keep their keys",
    object({ m: { type: "object", additionalProperties: object({ a: text }) } }),
    { m: { x: { a: "1", b: 1 } } },
    { m: { x: { a: "1" } } },
    ["m.x.b"],
  ],
  [
    "what is preserved stays, what it names is pruned",
    object({ p: object({ a: object({ b: text }) }, { "x-kubernetes-preserve-unknown-fields": true }) }),
    { p: { x: { y: 1 }, a: { b: "1", c: 2 } } },
    { p: { x: { y: 1 }, a: { b: "1" } } },
    ["p.a.c"],
  ],
  [
    "an object within keeps its type and metadata",
    object({ o: object({ spec: object({}) }, { "x-kubernetes-embedded-resource": true }) }),
    { o: { apiVersion: "v1", kind: "K", metadata: { name: "n" }, spec: { a: 1 }, b: 1 } },
    { o: { apiVersion: "v1", kind: "K", metadata: { name: "n" }, spec: {} } },
    ["o.b", "o.spec.a"],
  ],
  [
    "the object's own type and metadata",
    object({}),
    { apiVersion: "v1", kind: "K", metadata: {}, x: 1 },
    { apiVersion: "v1", kind: "K", metadata: {} },
    ["x"],
  ],
  [
    "a field called __proto__",
    object({ a: text }),
    JSON.parse('{"__proto__":{"x":1},"a":"1"}'),
    { a: "1" },
    ["__proto__"],
  ],
];

for (const [what, schema, value, want, unknown] of pruned)
  test(`pruning: ${what}`, () => {
    const got = copyJson(value);
    assert.deepEqual(prune(got, schema, { isRoot: true }), unknown);
    assert.deepEqual(got, want);
    assert.deepEqual(prune(got, schema, { isRoot: true }), []);
  });

const completed: readonly (readonly [string, Schema, Json, Json])[] = [
  ["a missing field", object({ a: { type: "string", default: "x" } }), {}, { a: "x" }],
  [
    "defaults inside defaults",
    object({ a: object({ b: { type: "integer", default: 1 } }, { default: {} }) }),
    {},
    { a: { b: 1 } },
  ],
  ["not where nothing stands", object({ a: object({ b: { type: "integer", default: 1 } }) }), {}, {}],
  [
    "in each element",
    object({ l: list(object({ b: { type: "integer", default: 1 } })) }),
    { l: [{}, { b: 2 }] },
    { l: [{ b: 1 }, { b: 2 }] },
  ],
  [
    "in each value",
    { type: "object", additionalProperties: object({ b: { type: "integer", default: 1 } }) },
    { x: {} },
    { x: { b: 1 } },
  ],
  [
    "a null that may not be there is replaced",
    object({ a: { type: "string", default: "x" } }),
    { a: null },
    { a: "x" },
  ],
  ["or dropped", object({ a: text }), { a: null }, {}],
  ["or kept", object({ a: { type: "string", nullable: true, default: "x" } }), { a: null }, { a: null }],
  [
    "false, zero and empty are there",
    object({ a: { type: "integer", default: 7 }, b: { type: "string", default: "x" } }),
    { a: 0, b: "" },
    { a: 0, b: "" },
  ],
];

for (const [what, schema, value, want] of completed)
  test(`defaults: ${what}`, () => {
    const got = copyJson(value);
    fillDefaults(got, schema);
    assert.deepEqual(got, want);
    fillDefaults(got, schema);
    assert.deepEqual(got, want);
  });

test("a default is a copy each time", () => {
  const schema = object({ a: object({ l: list(text) }, { default: { l: [] } }) });
  const [first, second]: [JsonObject, JsonObject] = [{}, {}];
  fillDefaults(first, schema);
  fillDefaults(second, schema);
  assert.notEqual(first["a"], second["a"]);
});

const port: Schema = { "x-kubernetes-int-or-string": true };
const checked: readonly (readonly [string, Schema, Json, readonly string[]])[] = [
  [
    "type",
    object({ a: { type: "integer" } }),
    { a: "x" },
    ['a: Invalid value: "string": a in body must be of type integer: "string"'],
  ],
  [
    "null",
    object({ a: text }),
    { a: null },
    ['a: Invalid value: "null": a in body must be of type string: "null"'],
  ],
  ["a whole number is a number", object({ a: { type: "number" } }), { a: 1 }, []],
  [
    "a fraction is no integer",
    object({ a: { type: "integer" } }),
    { a: 1.5 },
    ['a: Invalid value: "number": a in body must be of type integer: "number"'],
  ],
  [
    "int-or-string",
    object({ a: port, b: port, c: port }),
    { a: 1, b: "http", c: true },
    ['c: Invalid value: "boolean": c in body must be of type integer,string: "boolean"'],
  ],
  [
    "required",
    object({ s: object({ a: text }, { required: ["a", "b"] }) }),
    { s: { a: "" } },
    ["s.b: Required value"],
  ],
  [
    "enum",
    object({ a: { type: "string", enum: ["x", "y"] } }),
    { a: "z" },
    ['a: Unsupported value: "z": supported values: "x", "y"'],
  ],
  [
    "minimum",
    object({ a: { type: "integer", minimum: 1 } }),
    { a: 0 },
    ["a: Invalid value: 0: a in body should be greater than or equal to 1"],
  ],
  [
    "exclusive maximum",
    object({ a: { type: "number", maximum: 1, exclusiveMaximum: true } }),
    { a: 1 },
    ["a: Invalid value: 1: a in body should be less than 1"],
  ],
  ["multiple", object({ a: { type: "number", multipleOf: 0.1 } }), { a: 0.3 }, []],
  [
    "no multiple",
    object({ a: { type: "integer", multipleOf: 3 } }),
    { a: 4 },
    ["a: Invalid value: 4: a in body should be a multiple of 3"],
  ],
  [
    "int32",
    object({ a: { type: "integer", format: "int32" } }),
    { a: 2 ** 31 },
    ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in a'],
  ],
  [
    "too long",
    object({ a: { type: "string", maxLength: 3 } }),
    { a: "four" },
    ["a: Too long: may not be more than 3 bytes"],
  ],
  [
    "too short, by characters",
    object({ a: { type: "string", minLength: 2 } }),
    { a: "😀" },
    ['a: Invalid value: "😀": a in body should be at least 2 chars long'],
  ],
  [
    "pattern",
    object({ a: { type: "string", pattern: "^a+$" } }),
    { a: "b" },
    ["a: Invalid value: \"b\": a in body should match '^a+$'"],
  ],
  [
    "format",
    object({ a: { type: "string", format: "ipv4" } }),
    { a: "::1" },
    ['a: Invalid value: "::1": a in body must be of type ipv4: "::1"'],
  ],
  ["a format that nobody knows", object({ a: { type: "string", format: "int-or-nothing" } }), { a: "x" }, []],
  [
    "too many items",
    object({ l: list(text, { maxItems: 1 }) }),
    { l: ["a", "b"] },
    ["l: Too many: 2: must have at most 1 items"],
  ],
  [
    "too few items",
    object({ l: list(text, { minItems: 1 }) }),
    { l: [] },
    ["l: Invalid value: 0: l in body should have at least 1 items"],
  ],
  [
    "too few properties",
    object({ m: { type: "object", additionalProperties: text, minProperties: 1 } }),
    { m: {} },
    ["m: Invalid value: 0: m in body should have at least 1 properties"],
  ],
  [
    "elements",
    object({ l: list({ type: "integer" }) }),
    { l: [1, "x"] },
    ['l[1]: Invalid value: "string": l[1] in body must be of type integer: "string"'],
  ],
  [
    "not",
    object({ a: { type: "string", not: { enum: ["x"] } } }),
    { a: "x" },
    ['<nil>: Invalid value: "": "a" must not validate the schema (not)'],
  ],
  [
    "oneOf: none",
    object({ a: text, b: text }, { oneOf: [{ required: ["a"] }, { required: ["b"] }] }),
    {},
    [
      '<nil>: Invalid value: "": "" must validate one and only one schema (oneOf). Found none valid',
      "a: Required value",
    ],
  ],
  [
    "oneOf: both",
    object({ a: text, b: text }, { oneOf: [{ required: ["a"] }, { required: ["b"] }] }),
    { a: "", b: "" },
    [
      '<nil>: Invalid value: "": "" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
  ],
  [
    "anyOf",
    object({ a: { type: "string", anyOf: [{ pattern: "^x" }, { pattern: "^y" }] } }),
    { a: "z" },
    [
      '<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)',
      "a: Invalid value: \"z\": a in body should match '^x'",
    ],
  ],
  [
    "allOf",
    object({ a: { type: "integer", allOf: [{ minimum: 1 }, { maximum: 3 }] } }),
    { a: 5 },
    [
      "a: Invalid value: 5: a in body should be less than or equal to 3",
      '<nil>: Invalid value: "": "a" must validate all the schemas (allOf)',
    ],
  ],
];

for (const [what, schema, value, want] of checked)
  test(`checks: ${what}`, () =>
    assert.deepEqual(show(errorsAt(undefined, new Validator(schema).check(value))), want));

test("what was wrong before is let through where nothing changes, and only there", () => {
  const schema = object({
    a: { type: "integer", minimum: 10 },
    l: list(object({ name: text, n: { type: "integer", minimum: 10 } }), {
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
    }),
    plain: list({ type: "integer", minimum: 10 }),
  });
  const was: Json = { a: 1, l: [{ name: "x", n: 1 }], plain: [1] };
  const errors = (now: Json) =>
    errorsAt(undefined, new Validator(schema).check(now, "", new Correlation(now, was, schema))).map(
      ({ path }) => path,
    );
  assert.deepEqual(
    errors({
      a: 1,
      l: [
        { name: "y", n: 20 },
        { name: "x", n: 1 },
      ],
      plain: [1],
    }),
    [],
  );
  assert.deepEqual(errors({ a: 2, l: [{ name: "x", n: 2 }], plain: [1, 1] }), [
    "a",
    "l[0].n",
    "plain[0]",
    "plain[1]",
  ]);
});

test("lists that are sets or maps have each element once", () => {
  const schema = object({
    set: list(text, { "x-kubernetes-list-type": "set" }),
    map: list(object({ k: text, v: text }), {
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["k"],
    }),
  });
  const value: Json = {
    set: ["a", "b", "a", "a"],
    map: [{ k: "x", v: "1" }, { k: "y" }, { k: "x", v: "2" }],
  };
  assert.deepEqual(show(listKeyErrors(value, schema)), [
    'set[2]: Duplicate value: "a"',
    'map[2]: Duplicate value: {"k":"x"}',
  ]);
});

test("objects within say what they are", () => {
  const schema = object({
    o: {
      type: "object",
      "x-kubernetes-embedded-resource": true,
      "x-kubernetes-preserve-unknown-fields": true,
    },
  });
  assert.deepEqual(
    show(embeddedErrors({ o: { kind: "K", metadata: { labels: { "a b": "c" } } } }, schema)).map((line) =>
      line.slice(0, 40),
    ),
    ["o.apiVersion: Required value", 'o.metadata.labels: Invalid value: "a b":'],
  );
});

const ruled: Schema = object({
  spec: object(
    { min: { type: "integer" }, max: { type: "integer" }, name: text, mode: text },
    {
      "x-kubernetes-validations": [
        { rule: "self.min <= self.max", message: "min above max", fieldPath: ".min" },
        { rule: "self.name == oldSelf.name", message: "name never changes", reason: "FieldValueForbidden" },
        {
          rule: "!oldSelf.hasValue() || self.mode != 'new'",
          optionalOldSelf: true,
          messageExpression: "'no ' + self.mode",
        },
      ],
    },
  ),
});

test("rules: their place, their message, their reason; transitions only where there was something", () => {
  const tree = RuleTree.of(ruled, { isRoot: true });
  const check = (now: Json, was?: Json) =>
    show(
      tree?.check(now, {
        path: undefined,
        old: was,
        correlation: was === undefined ? undefined : new Correlation(now, was, ruled),
      }) ?? [],
    );
  const spec = { min: 1, max: 2, name: "n", mode: "new" };
  assert.deepEqual(check({ spec }), []);
  assert.deepEqual(check({ spec: { ...spec, min: 3 } }), ["spec.min: Invalid value: min above max"]);
  assert.deepEqual(check({ spec: { ...spec, name: "m" } }, { spec: { ...spec, mode: "old" } }), [
    "spec: Forbidden: name never changes",
    "spec: Invalid value: no new",
  ]);
  const broken = { spec: { ...spec, min: 9, mode: "old" } };
  assert.deepEqual(check(broken, broken), [], "what was broken before and has not changed is let through");
});
