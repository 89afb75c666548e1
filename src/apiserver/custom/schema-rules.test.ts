import assert from "node:assert/strict";
import { test } from "node:test";
import type { JSONSchemaProps } from "#kube/generated/types";
import { ofSpec, ROOT } from "./testing/checked.ts";

test("a plain definition is fine", () => assert.deepEqual(ofSpec({ type: "object" }), []));

const schemas: readonly (readonly [string, JSONSchemaProps, readonly string[]])[] = [
  [
    "no type",
    {},
    ["ROOT.properties[spec].type: Required value: must not be empty for specified object fields"],
  ],
  [
    "a type that is none",
    { type: "text" },
    [
      'ROOT.properties[spec].type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"',
    ],
  ],
  [
    "a list of anything",
    { type: "array" },
    ["ROOT.properties[spec].items: Required value: must be specified"],
  ],
  [
    "a list of typeless things",
    { type: "array", items: {} },
    ["ROOT.properties[spec].items.type: Required value: must not be empty for specified array items"],
  ],
  [
    "a type in a constraint",
    { type: "object", anyOf: [{ type: "object" }] },
    ["ROOT.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural"],
  ],
  [
    "int-or-string, spelled out",
    { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
    [],
  ],
  [
    "int-or-string, spelled otherwise",
    { "x-kubernetes-int-or-string": true, anyOf: [{ type: "string" }, { type: "integer" }] },
    [
      "ROOT.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural",
      "ROOT.properties[spec].anyOf[1].type: Forbidden: must be empty to be structural",
    ],
  ],
  [
    "a bad pattern",
    { type: "string", pattern: "a(" },
    [
      'ROOT.properties[spec].pattern: Invalid value: "a(": must be a valid regular expression, but isn\'t: error parsing regexp: missing closing ): `a(`',
    ],
  ],
  [
    "preserving nothing",
    { type: "object", "x-kubernetes-preserve-unknown-fields": false },
    [
      "ROOT.properties[spec].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
    ],
  ],
  [
    "fields and values",
    { type: "object", properties: { a: { type: "string" } }, additionalProperties: { type: "string" } },
    [
      "ROOT.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
    ],
  ],
  [
    "unique items",
    { type: "array", items: { type: "string" }, uniqueItems: true },
    [
      "ROOT.properties[spec].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    ],
  ],
  [
    "a reference",
    { type: "object", $ref: "#/x" },
    ["ROOT.properties[spec].$ref: Forbidden: $ref is not supported"],
  ],
  [
    "a map without keys",
    { type: "array", items: { type: "object" }, "x-kubernetes-list-type": "map" },
    [
      "ROOT.properties[spec].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
    ],
  ],
  [
    "a key that may be missing",
    {
      type: "array",
      items: { type: "object", properties: { k: { type: "string" } } },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["k"],
    },
    [
      "ROOT.properties[spec].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
    ],
  ],
  [
    "a set of objects with fields",
    { type: "array", items: { type: "object" }, "x-kubernetes-list-type": "set" },
    [
      "ROOT.properties[spec].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set",
    ],
  ],
  [
    "an embedded object without fields",
    { type: "object", "x-kubernetes-embedded-resource": true },
    [
      "ROOT.properties[spec].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
    ],
  ],
  [
    "a default of another type",
    { type: "string", default: 1 },
    ['ROOT.properties[spec].default: Invalid value: "integer":  in body must be of type string: "integer"'],
  ],
  [
    "a default with an unknown field",
    { type: "object", default: { a: 1 } },
    ['ROOT.properties[spec].default: Invalid value: {"a":1}: must not have unknown fields'],
  ],
  [
    "a rule that names no field",
    {
      type: "object",
      properties: { a: { type: "string" } },
      "x-kubernetes-validations": [{ rule: "self.b == ''" }],
    },
    [
      "ROOT.properties[spec].x-kubernetes-validations[0].rule: Invalid value: {\"rule\":\"self.b == ''\"}: compilation failed: ERROR: <input>:1:5: undefined field 'b'\n | self.b == ''\n | ....^",
    ],
  ],
  [
    "a rule that gives no truth",
    { type: "string", "x-kubernetes-validations": [{ rule: "self" }] },
    [
      'ROOT.properties[spec].x-kubernetes-validations[0].rule: Invalid value: {"rule":"self"}: cel expression must evaluate to a bool',
    ],
  ],
  [
    "oldSelf where elements cannot be told apart",
    {
      type: "array",
      maxItems: 10,
      items: { type: "string", maxLength: 10, "x-kubernetes-validations": [{ rule: "self == oldSelf" }] },
    },
    [
      'ROOT.properties[spec].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within ROOT.properties[spec]',
    ],
  ],
  [
    "a rule without a text",
    { type: "string", "x-kubernetes-validations": [{ rule: " " }] },
    ["ROOT.properties[spec].x-kubernetes-validations[0].rule: Required value: rule is not specified"],
  ],
  [
    "a rule's reason",
    { type: "string", "x-kubernetes-validations": [{ rule: "true", reason: "Because" }] },
    [
      'ROOT.properties[spec].x-kubernetes-validations[0].reason: Unsupported value: "Because": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"',
    ],
  ],
  [
    "a rule's place",
    { type: "object", "x-kubernetes-validations": [{ rule: "true", fieldPath: ".x" }] },
    [
      'ROOT.properties[spec].x-kubernetes-validations[0].fieldPath: Invalid value: ".x": must be a valid path',
    ],
  ],
];

for (const [what, spec, want] of schemas)
  test(`a schema: ${what}`, () =>
    assert.deepEqual(
      ofSpec(spec).map((line) => line.replaceAll(ROOT, "ROOT")),
      want,
    ));
