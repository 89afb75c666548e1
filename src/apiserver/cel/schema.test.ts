import assert from "node:assert/strict";
import { test } from "node:test";
import { CelFault } from "./fault.ts";
import { Budget } from "./meter.ts";
import { compileRule } from "./rule.ts";
import { type RuleSchema, schemaEnvironment } from "./schema.ts";
import { BOOL } from "./types.ts";

const SCHEMA: RuleSchema = {
  type: "object",
  properties: {
    replicas: { type: "integer" },
    share: { type: "number" },
    port: { "x-kubernetes-int-or-string": true },
    names: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
    ports: {
      type: "array",
      items: { type: "object", properties: { name: { type: "string" }, number: { type: "integer" } } },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
    },
    labels: { type: "object", additionalProperties: { type: "string" } },
    "a.b-c/d": { type: "string" },
    namespace: { type: "string" },
    under__score: { type: "string" },
    since: { type: "string", format: "date-time" },
    wait: { type: "string", format: "duration" },
    blob: { type: "string", format: "byte" },
    unknown: { "x-kubernetes-preserve-unknown-fields": true },
    metadata: { type: "object" },
  },
};

function outcome(rule: string, self: unknown, oldSelf: unknown = self): unknown {
  const environment = schemaEnvironment(SCHEMA, { isRoot: true });
  if (environment === undefined) return "no environment";
  try {
    const compiled = compileRule(rule, environment, { types: [BOOL], otherwise: "must evaluate to a bool" });
    return compiled.evaluate({ self, oldSelf }, new Budget(1_000_000));
  } catch (error) {
    if (!(error instanceof CelFault)) throw error;
    return error.message.split("\n")[0];
  }
}

const CASES: readonly (readonly [string, unknown, unknown, unknown?])[] = [
  ["self.replicas / 2 == 1", { replicas: 3 }, true],
  ["self.share / 2.0 == 1.5", { share: 3 }, true],
  [
    "self.share == 3",
    { share: 3 },
    "compilation failed: ERROR: <input>:1:12: found no matching overload for '_==_' applied to '(double, int)'",
  ],
  ["self.port == 80", { port: 80 }, true],
  ["self.port == 'http'", { port: "http" }, true],
  ["self.names == oldSelf.names", { names: ["a", "b"] }, true, { names: ["b", "a"] }],
  ["(self.names + ['a', 'c']).size() == 3", { names: ["a", "b"] }, true],
  [
    "self.ports == oldSelf.ports",
    {
      ports: [
        { name: "a", number: 1 },
        { name: "b", number: 2 },
      ],
    },
    true,
    {
      ports: [
        { name: "b", number: 2 },
        { name: "a", number: 1 },
      ],
    },
  ],
  [
    "self.ports == oldSelf.ports",
    { ports: [{ name: "a", number: 1 }] },
    false,
    { ports: [{ name: "a", number: 2 }] },
  ],
  ["self.ports.all(p, p.number > 0)", { ports: [{ name: "a", number: 1 }] }, true],
  ["'x' in self.labels && self.labels['x'] == 'y'", { labels: { x: "y" } }, true],
  ["self.a__dot__b__dash__c__slash__d == 'v'", { "a.b-c/d": "v" }, true],
  ["self.__namespace__ == 'n' && has(self.__namespace__)", { namespace: "n" }, true],
  ["self.under__underscores__score == 'u'", { under__score: "u" }, true],
  ["self.since > timestamp('2020-01-01T00:00:00Z')", { since: "2021-01-01T00:00:00Z" }, true],
  ["self.wait > duration('1m')", { wait: "2m" }, true],
  ["self.blob == b'hi'", { blob: "aGk=" }, true],
  ["self.metadata.name == 'n' && self.kind == 'K'", { kind: "K", metadata: { name: "n" } }, true],
  ["self.metadata.labels.x == 'n'", {}, "compilation failed: ERROR: <input>:1:14: undefined field 'labels'"],
  ["self.unknown == 1", {}, "compilation failed: ERROR: <input>:1:5: undefined field 'unknown'"],
  ["self.namespace == 'n' && has(self.namespace)", { namespace: "n" }, true],
  ["self.replicas", {}, "must evaluate to a bool"],
  ["self.replicas > 0", {}, "no such key: replicas"],
  ["!has(self.replicas)", {}, true],
  ["self == oldSelf", { replicas: 1, labels: { a: "b" } }, true],
  ["self.labels == oldSelf.labels", { labels: { __proto__: "b" } }, true, { labels: { __proto__: "b" } }],
];

for (const [rule, self, expected, oldSelf] of CASES)
  test(`${rule} of ${JSON.stringify(self)}`, () =>
    assert.equal(outcome(rule, self, oldSelf ?? self), expected));

test("a place without a type has no environment", () => {
  assert.equal(schemaEnvironment({ "x-kubernetes-preserve-unknown-fields": true }), undefined);
});

test("oldSelf may be an optional", () => {
  const environment = schemaEnvironment({ type: "integer" }, { optionalOldSelf: true });
  assert.ok(environment);
  const rule = compileRule("!oldSelf.hasValue() || oldSelf.value() <= self", environment);
  assert.equal(rule.evaluate({ self: 1, oldSelf: 2 }, new Budget(1000)), false);
  assert.equal(rule.evaluate({ self: 1 }, new Budget(1000)), true);
});
