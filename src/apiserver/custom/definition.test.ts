import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustomResourceDefinition, JSONSchemaProps } from "#kube/generated/types";
import type { FieldError } from "../kinds/kind.ts";
import { fieldErrorBody } from "../status.ts";
import { definitionErrors, definitionUpdateErrors } from "./definition-check.ts";
import { definitionWarnings } from "./definition-warnings.ts";
import { type Body, definition } from "./testing/definition.ts";

const ROOT = "spec.versions[0].schema.openAPIV3Schema";

function made(
  change: (body: Body) => void,
  spec: JSONSchemaProps = { type: "object" },
): CustomResourceDefinition {
  const body = definition({ group: "example.com" }, spec, (fresh) => {
    fresh.spec.names.singular = "thing";
    fresh.spec.names.listKind = "ThingList";
    fresh.status = { storedVersions: ["v1"] };
    change(fresh);
  });
  return body;
}

const show = (errors: readonly FieldError[]) =>
  errors.map((error) => `${error.path.replace(ROOT, "ROOT")}: ${fieldErrorBody(error)}`);

/** What is wrong with a schema whose `spec` is this. */
const ofSpec = (spec: JSONSchemaProps) => show(definitionErrors(made(() => {}, spec)));

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
    { type: "array", items: { type: "string", "x-kubernetes-validations": [{ rule: "self == oldSelf" }] } },
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

const definitions: readonly (readonly [string, (body: Body) => void, readonly string[]])[] = [
  [
    "another name",
    (body) => {
      body.metadata.name = "x.example.com";
    },
    ['metadata.name: Invalid value: "x.example.com": must be spec.names.plural+"."+spec.group'],
  ],
  [
    "a group without a dot",
    (body) => {
      body.spec.group = "example";
      body.metadata.name = "things.example";
    },
    ['spec.group: Invalid value: "example": should be a domain with at least one dot'],
  ],
  [
    "a scope",
    (body) => {
      body.spec.scope = "World";
    },
    ['spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"'],
  ],
  [
    "nothing to store in",
    (body) => {
      body.spec.versions[0].storage = false;
    },
    ["spec.versions: must have exactly one version marked as storage version"],
  ],
  [
    "a version's name",
    (body) => {
      body.spec.versions[0].name = "V1";
      body.status.storedVersions = ["V1"];
    },
    ['spec.versions[0].name: Invalid value: "V1": a DNS-1035 label must consist'],
  ],
  [
    "no schema",
    (body) => {
      body.spec.versions[0].schema = undefined;
    },
    ["ROOT: Required value"],
  ],
  [
    "kind and list of one name",
    (body) => {
      body.spec.names.listKind = "Thing";
    },
    ['spec.names.listKind: Invalid value: "Thing": kind and listKind may not be the same'],
  ],
  [
    "keeping unknown fields",
    (body) => {
      body.spec.preserveUnknownFields = true;
    },
    ["spec.preserveUnknownFields: Invalid value: true: cannot set to true"],
  ],
  [
    "a column's type",
    (body) => {
      body.spec.versions[0].additionalPrinterColumns = [{ name: "A", type: "float", jsonPath: ".a" }];
    },
    [
      'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "float": must be one of boolean,date,integer,number,string',
    ],
  ],
  [
    "a column's path",
    (body) => {
      body.spec.versions[0].additionalPrinterColumns = [{ name: "A", type: "string", jsonPath: "a" }];
    },
    [
      'spec.versions[0].additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path starting with .',
    ],
  ],
  [
    "a scale elsewhere",
    (body) => {
      body.spec.versions[0].subresources = {
        scale: { specReplicasPath: ".status.n", statusReplicasPath: ".status.n" },
      };
    },
    [
      'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".status.n": should be a json path under .spec',
    ],
  ],
  [
    "selecting metadata",
    (body) => {
      body.spec.versions[0].selectableFields = [{ jsonPath: ".metadata.name" }];
    },
    [
      'spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".metadata.name": is an invalid path: does not refer to a valid field',
    ],
  ],
  [
    "selecting an object",
    (body) => {
      body.spec.versions[0].selectableFields = [{ jsonPath: ".spec" }];
    },
    ['spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".spec": must point to a field of type'],
  ],
  [
    "a converter nobody can find",
    (body) => {
      body.spec.conversion = {
        strategy: "Webhook",
        webhook: { conversionReviewVersions: ["v1"], clientConfig: {} },
      };
    },
    ["spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required"],
  ],
  [
    "a converter without TLS",
    (body) => {
      body.spec.conversion = {
        strategy: "Webhook",
        webhook: { conversionReviewVersions: ["v9"], clientConfig: { url: "http://x" } },
      };
    },
    [
      "spec.conversion.webhookClientConfig.url: Invalid value: \"http://x\": 'https' is the only allowed URL scheme",
      'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
    ],
  ],
  [
    "Kubernetes' own group",
    (body) => {
      body.spec.group = "x.k8s.io";
      body.metadata.name = "things.x.k8s.io";
    },
    [
      'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see',
    ],
  ],
  [
    "a warning for what is not deprecated",
    (body) => {
      body.spec.versions[0].deprecationWarning = "x";
    },
    ['spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions'],
  ],
  [
    "a root of another type",
    (body) => {
      body.spec.versions[0].schema.openAPIV3Schema = { type: "string" };
    },
    ['ROOT.type: Invalid value: "string": must be object at the root'],
  ],
  [
    "what metadata must be",
    (body) => {
      body.spec.versions[0].schema.openAPIV3Schema.properties.metadata = {
        type: "object",
        properties: { labels: { type: "object" } },
      };
    },
    [
      "ROOT.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
    ],
  ],
  [
    "a field that only a constraint names",
    (body) => {
      body.spec.versions[0].schema.openAPIV3Schema.oneOf = [{ properties: { b: { pattern: "x" } } }];
    },
    [
      "ROOT.properties[b]: Required value: because it is defined in spec.versions[0].schema.openAPIV3Schema.oneOf[0].properties[b]",
    ],
  ],
  [
    "what a name must be",
    (body) => {
      body.spec.versions[0].schema.openAPIV3Schema.properties.metadata = {
        type: "object",
        properties: { name: { type: "string", maxLength: 3 } },
      };
    },
    [],
  ],
];

for (const [what, change, want] of definitions)
  test(`a definition: ${what}`, () => {
    const lines = show(definitionErrors(made(change)));
    assert.equal(lines.length, want.length, lines.join("\n"));
    for (const [i, start] of want.entries())
      assert.ok(
        lines[i]?.startsWith(start) ||
          lines[i]?.replace(/Invalid value: .*: must have/, "must have").startsWith(start),
        lines[i],
      );
  });

test("a schema that was let through stays, whatever has been learned since", () => {
  const bad = made(() => {}, { type: "string", pattern: "a(" });
  const next = structuredClone(bad) as Body;
  next.metadata.labels = { a: "b" };
  assert.deepEqual(definitionUpdateErrors(next, bad), []);
  next.spec.versions[0].schema.openAPIV3Schema.description = "changed";
  assert.equal(definitionUpdateErrors(next, bad).length, 1);
});

test("formats that nobody checks, and sets that cannot be merged, are warned of once", () => {
  const spec: JSONSchemaProps = {
    type: "object",
    properties: { a: { type: "string", format: "hostport" }, b: { type: "string", format: "hostport" } },
  };
  const body = made(() => {}, spec);
  assert.deepEqual(definitionWarnings(body, undefined), ['unrecognized format "hostport"']);
  assert.deepEqual(definitionWarnings(body, body), []);
});
