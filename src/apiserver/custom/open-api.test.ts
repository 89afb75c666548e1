import assert from "node:assert/strict";
import { test } from "node:test";
import { isObject, type JsonObject, objectAt } from "../json.ts";
import { publishedSchema } from "./open-api.ts";
import type { Schema } from "./schema.ts";

const resource = { group: "g.io", version: "v1", kind: "K", plural: "ks", namespaced: true };

function published(schema: Schema, version: 2 | 3): JsonObject {
  const out: unknown = JSON.parse(JSON.stringify(publishedSchema(schema, resource, version)));
  return isObject(out as JsonObject) ? (out as JsonObject) : {};
}

test("a schema that keeps unknown fields at its root says only that it is an object, in version 2", () => {
  const schema: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  assert.deepEqual(published(schema, 2), {
    type: "object",
    "x-kubernetes-group-version-kind": [{ group: "g.io", version: "v1", kind: "K" }],
  });
  assert.equal(published(schema, 3)["x-kubernetes-preserve-unknown-fields"], true);
});

test("type and metadata are described for kubectl explain", () => {
  for (const version of [2, 3] as const) {
    const properties = objectAt(published({ type: "object" }, version), "properties");
    assert.match(String(objectAt(properties, "apiVersion")?.["description"]), /^APIVersion defines/);
    assert.match(String(objectAt(properties, "metadata")?.["description"]), /^Standard object's metadata/);
  }
});
