import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import type { Json, JsonObject } from "../json.ts";
import { jsonPatch } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";
import { strategicPatch } from "./strategic.ts";

const yaml = (text: string): Json => parse(text) as Json;

const jsonCases: readonly { name: string; doc: string; patch: string; want: string | undefined }[] = [
  { name: "add a field", doc: "{a: 1}", patch: "[{op: add, path: /b, value: 2}]", want: "{a: 1, b: 2}" },
  {
    name: "add into a list",
    doc: "{a: [1, 3]}",
    patch: "[{op: add, path: /a/1, value: 2}]",
    want: "{a: [1, 2, 3]}",
  },
  { name: "append", doc: "{a: [1]}", patch: "[{op: add, path: /a/-, value: 2}]", want: "{a: [1, 2]}" },
  { name: "add makes no parents", doc: "{}", patch: "[{op: add, path: /a/b, value: 2}]", want: undefined },
  { name: "remove", doc: "{a: 1, b: 2}", patch: "[{op: remove, path: /a}]", want: "{b: 2}" },
  { name: "remove what is missing", doc: "{}", patch: "[{op: remove, path: /a}]", want: undefined },
  {
    name: "the last by a negative index",
    doc: "{a: [1, 2]}",
    patch: "[{op: remove, path: /a/-1}]",
    want: "{a: [1]}",
  },
  { name: "replace", doc: "{a: 1}", patch: "[{op: replace, path: /a, value: 2}]", want: "{a: 2}" },
  {
    name: "replace what is missing",
    doc: "{}",
    patch: "[{op: replace, path: /a, value: 2}]",
    want: "{a: 2}",
  },
  {
    name: "replace below what is missing",
    doc: "{}",
    patch: "[{op: replace, path: /a/b, value: 2}]",
    want: undefined,
  },
  {
    name: "escapes",
    doc: "{a/b: 1, m~n: 2}",
    patch: "[{op: remove, path: /a~1b}, {op: test, path: /m~0n, value: 2}]",
    want: "{m~n: 2}",
  },
  { name: "a test that fails", doc: "{a: 1}", patch: "[{op: test, path: /a, value: 2}]", want: undefined },
  { name: "move", doc: "{a: {b: 1}}", patch: "[{op: move, from: /a/b, path: /c}]", want: "{a: {}, c: 1}" },
  {
    name: "copy",
    doc: "{a: {b: 1}}",
    patch: "[{op: copy, from: /a, path: /c}, {op: add, path: /c/d, value: 2}]",
    want: "{a: {b: 1}, c: {b: 1, d: 2}}",
  },
  { name: "an unknown operation", doc: "{}", patch: "[{op: frob, path: /a}]", want: undefined },
];

for (const { name, doc, patch, want } of jsonCases)
  test(`json patch: ${name}`, () => {
    const before = yaml(doc);
    if (want === undefined) assert.throws(() => jsonPatch(before, yaml(patch)), { code: "Invalid" });
    else assert.deepEqual(jsonPatch(before, yaml(patch)), yaml(want));
    assert.deepEqual(before, yaml(doc), "the document given is not changed");
  });

test("merge patch: null deletes, lists are replaced, the rest is merged", () => {
  const got = mergePatch(
    yaml("{a: {b: 1, c: 2}, l: [1, 2], k: 1}"),
    yaml("{a: {b: null, d: {e: null, f: 3}}, l: [3]}"),
  );
  assert.deepEqual(got, yaml("{a: {c: 2, d: {f: 3}}, l: [3], k: 1}"));
});

test("no patch reaches Object.prototype", () => {
  const evil = JSON.parse('{"__proto__": {"polluted": true}}') as JsonObject;
  mergePatch({}, evil);
  strategicPatch({}, evil, "io.k8s.api.core.v1.Pod");
  jsonPatch({}, [{ op: "add", path: "/__proto__", value: { polluted: true } }]);
  assert.throws(() => jsonPatch({}, [{ op: "add", path: "/constructor/prototype/polluted", value: true }]));
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

const POD =
  "{spec: {containers: [{name: a, image: x, ports: [{containerPort: 80}]}, {name: b, image: y}], tolerations: [{key: k}], volumes: [{name: v, emptyDir: {}}]}}";
const smpCases: readonly {
  name: string;
  doc?: string;
  definition?: string;
  patch: string;
  want: string | undefined;
}[] = [
  {
    name: "a keyed element is merged, others stay",
    patch: "{spec: {containers: [{name: b, image: z}]}}",
    want: POD.replace("image: y", "image: z"),
  },
  {
    name: "a new element comes first, unless the order is asked for",
    patch: "{spec: {containers: [{name: c, image: q}]}}",
    want: POD.replace("containers: [", "containers: [{name: c, image: q}, "),
  },
  {
    name: "$patch delete of an element",
    patch: "{spec: {containers: [{name: a, $patch: delete}]}}",
    want: "{spec: {containers: [{name: b, image: y}], tolerations: [{key: k}], volumes: [{name: v, emptyDir: {}}]}}",
  },
  {
    name: "$patch replace of a list",
    patch: "{spec: {containers: [{name: c, image: q}, {$patch: replace}]}}",
    want: "{spec: {containers: [{name: c, image: q}], tolerations: [{key: k}], volumes: [{name: v, emptyDir: {}}]}}",
  },
  {
    name: "$patch replace of a map",
    patch: "{spec: {$patch: replace, nodeName: n}}",
    want: "{spec: {nodeName: n}}",
  },
  { name: "$patch delete of a map", patch: "{spec: {$patch: delete}}", want: "{}" },
  {
    name: "null deletes",
    patch: "{spec: {volumes: null}}",
    want: POD.replace(", volumes: [{name: v, emptyDir: {}}]", ""),
  },
  {
    name: "an atomic list is replaced",
    patch: "{spec: {tolerations: [{key: z}]}}",
    want: POD.replace("key: k", "key: z"),
  },
  {
    name: "$setElementOrder",
    patch: "{spec: {$setElementOrder/containers: [{name: b}, {name: a}], containers: [{name: a, image: n}]}}",
    want: "{spec: {containers: [{name: b, image: y}, {name: a, image: n, ports: [{containerPort: 80}]}], tolerations: [{key: k}], volumes: [{name: v, emptyDir: {}}]}}",
  },
  {
    name: "$setElementOrder alone",
    patch: "{spec: {$setElementOrder/containers: [{name: b}, {name: a}]}}",
    want: "{spec: {containers: [{name: b, image: y}, {name: a, image: x, ports: [{containerPort: 80}]}], tolerations: [{key: k}], volumes: [{name: v, emptyDir: {}}]}}",
  },
  {
    name: "$retainKeys drops the other source of a volume",
    patch: "{spec: {volumes: [{name: v, $retainKeys: [name, hostPath], hostPath: {path: /x}}]}}",
    want: POD.replace("{name: v, emptyDir: {}}", "{name: v, hostPath: {path: /x}}"),
  },
  {
    name: "$retainKeys that does not fit",
    patch: "{spec: {volumes: [{name: v, $retainKeys: [name], hostPath: {path: /x}}]}}",
    want: undefined,
  },
  { name: "an element without its key", patch: "{spec: {containers: [{image: q}]}}", want: undefined },
  { name: "an unknown directive", patch: "{spec: {$patch: frob}}", want: undefined },
  {
    name: "ports merge by number",
    patch: "{spec: {containers: [{name: a, ports: [{containerPort: 81}]}]}}",
    want: POD.replace("[{containerPort: 80}]", "[{containerPort: 81}, {containerPort: 80}]"),
  },
  {
    name: "finalizers are a union",
    doc: "{metadata: {finalizers: [a, b]}}",
    patch: "{metadata: {finalizers: [b, c]}}",
    want: "{metadata: {finalizers: [a, b, c]}}",
  },
  {
    name: "$deleteFromPrimitiveList",
    doc: "{metadata: {finalizers: [a, b]}}",
    patch: "{metadata: {$deleteFromPrimitiveList/finalizers: [a]}}",
    want: "{metadata: {finalizers: [b]}}",
  },
  {
    name: "strategy with retainKeys",
    definition: "io.k8s.api.apps.v1.Deployment",
    doc: "{spec: {strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}}",
    patch: "{spec: {strategy: {$retainKeys: [type], type: Recreate}}}",
    want: "{spec: {strategy: {type: Recreate}}}",
  },
];

for (const { name, doc = POD, definition = "io.k8s.api.core.v1.Pod", patch, want } of smpCases)
  test(`strategic merge patch: ${name}`, () => {
    const run = () => strategicPatch(yaml(doc) as JsonObject, yaml(patch) as JsonObject, definition);
    if (want === undefined) assert.throws(run);
    else assert.deepEqual(run(), yaml(want));
  });
