import assert from "node:assert/strict";
import { test } from "node:test";
import type { Schema } from "./schema.ts";
import { schemaErrors } from "./schema-rules.ts";

const NAME: Schema = { type: "string", maxLength: 253 };
const LOOSE: Schema = { type: "string" };
const LISTS: Readonly<Record<string, Schema>> = {
  bounded: {
    type: "array",
    maxItems: 64,
    items: { type: "object", required: ["name"], properties: { name: NAME } },
  },
  loose: {
    type: "array",
    items: { type: "object", required: ["name"], properties: { name: LOOSE } },
  },
};

/** Rules over `self.list`, and by how much kube-apiserver 1.36.1 finds them too dear: for a bounded list, and for one without bounds. */
const ESTIMATES: readonly (readonly [string, string | undefined, string | undefined])[] = [
  ["self.list.size() > 3", undefined, undefined],
  ["self.list.all(x, x.name == 'a')", undefined, undefined],
  ["self.list.all(x, self.list.exists_one(y, x.name == y.name))", undefined, "more than 100x"],
  ["self.list.all(x, x.name.matches('^[a-z]+$'))", undefined, "more than 100x"],
  ["self.list.map(x, x.name).isSorted()", "more than 100x", "more than 100x"],
];

for (const [rule, bounded, loose] of ESTIMATES)
  for (const [kind, want] of [["bounded", bounded] as const, ["loose", loose] as const])
    test(`what a rule may cost: ${rule} on a ${kind} list`, () => {
      assert.equal(factorOf(rule, LISTS[kind] ?? {}), want);
    });

/** By how much a rule is too dear. */
function factorOf(rule: string, list: Schema): string | undefined {
  const schema: Schema = {
    type: "object",
    properties: {
      spec: { type: "object", properties: { list }, "x-kubernetes-validations": [{ rule }] },
    },
  };
  const [error] = schemaErrors("ROOT", schema, { checksRules: true });
  return /^estimated rule cost exceeds budget by factor of (.+) \(try/.exec(error?.detail ?? "")?.[1];
}
