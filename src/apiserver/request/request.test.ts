import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseForm, type Form } from "./accept.ts";
import { parsePath } from "./info.ts";
import { warningHeaders } from "./reply.ts";

const paths: readonly [string, Record<string, unknown> | "other"][] = [
  ["/api", "other"],
  ["/api/v1", "other"],
  ["/apis/apps/v1", "other"],
  ["/healthz", "other"],
  ["/api/v1/pods", { group: "", version: "v1", plural: "pods" }],
  ["/api/v1/namespaces/a/pods/b/log", { plural: "pods", namespace: "a", name: "b", subresource: "log" }],
  [
    "/apis/apps/v1/namespaces/a/deployments",
    { group: "apps", plural: "deployments", namespace: "a", name: undefined },
  ],
  ["/api/v1/namespaces/a", { plural: "namespaces", namespace: undefined, name: "a" }],
  ["/api/v1/namespaces/a/finalize", { plural: "namespaces", name: "a", subresource: "finalize" }],
  ["/api/v1/namespaces/a/status/b", { plural: "status", namespace: "a", name: "b" }],
  ["/api/v1/watch/namespaces/a/pods/b", { plural: "pods", namespace: "a", name: "b", watchPrefix: true }],
  ["/api/v1/nodes/n%2Fx", { plural: "nodes", name: "n/x" }],
];

for (const [path, want] of paths)
  test(`path ${path}`, () => {
    const info = parsePath(path);
    if (want === "other") return assert.equal(info?.is, "other");
    assert.equal(info?.is, "resource");
    const got: Record<string, unknown> = { ...info };
    for (const [field, value] of Object.entries(want)) assert.equal(got[field], value, field);
  });

test("broken percent-encoding is no path", () => assert.equal(parsePath("/api/v1/pods/%zz"), undefined));

const TABLES =
  "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
const accepts: readonly [string | undefined, Form["as"] | "none", string?][] = [
  [undefined, "object"],
  ["*/*", "object"],
  [TABLES, "Table", "v1"],
  ["application/json;as=Table;v=v2;g=meta.k8s.io,application/json", "object"],
  ["application/vnd.kubernetes.protobuf,application/json", "object"],
  [
    "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
    "object",
  ],
  ["application/json;q=0.1,application/json;as=Table;v=v1;g=meta.k8s.io;q=0.9", "Table", "v1"],
  ["text/html", "none"],
  ["application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "none"],
];

for (const [accept, want, version] of accepts)
  test(`accept ${accept}`, () => {
    const choose = () => chooseForm(accept, new Set<Form["as"]>(["Table"]));
    if (want === "none") return assert.throws(choose, { code: "NotAcceptable" });
    assert.equal(choose().as, want);
    if (version !== undefined) assert.equal(choose().version, version);
  });

test("warnings are quoted, and cut when there are too many", () => {
  assert.deepEqual(warningHeaders(['say "hi"', "two\nlines", ""]), ['299 - "say \\"hi\\""']);
  const many = warningHeaders(Array.from({ length: 5 }, (_, i) => `${i}${"x".repeat(1500)}`));
  assert.deepEqual(
    many.map((line) => line.length < 300),
    [true, true, true, true, true],
  );
});
