import assert from "node:assert/strict";
import { test } from "node:test";
import type { JSONSchemaProps } from "#kube/generated/types";
import { definitionErrors, definitionUpdateErrors } from "./definition-check.ts";
import { definitionWarnings } from "./definition-warnings.ts";
import { made, show } from "./testing/checked.ts";
import type { Body } from "./testing/definition.ts";

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
