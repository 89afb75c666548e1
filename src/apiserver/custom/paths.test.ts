import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "#kube/object";
import type { Json } from "../json.ts";
import { columnsOf } from "./columns.ts";
import { readFieldPath } from "./field-path.ts";
import { hasFormat } from "./formats.ts";
import { followPath, parseJsonPath } from "./json-path.ts";

const OBJECT: Json = {
  metadata: { name: "n", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: {
    a: 1,
    "b.c": "x",
    list: [
      { type: "A", status: "True" },
      { type: "B", status: "False" },
    ],
    flag: false,
  },
};

const paths: readonly (readonly [string, readonly Json[] | undefined])[] = [
  [".spec.a", [1]],
  [".spec.b\\.c", ["x"]],
  [".spec['b.c']", ["x"]],
  [".spec.list[1].type", ["B"]],
  [".spec.list[-1].type", ["B"]],
  [".spec.list[*].type", ["A", "B"]],
  ['.spec.list[?(@.type=="B")].status', ["False"]],
  [".spec.list[?(@.type == 'A')].status", ["True"]],
  [".spec.list[?(@.none)].status", []],
  [".spec.missing.field", []],
  [".", [OBJECT]],
  ["spec", undefined],
  [".spec[", undefined],
];

for (const [path, want] of paths)
  test(`path ${path}`, () => {
    const parsed = parseJsonPath(path);
    assert.deepEqual(parsed === undefined ? undefined : followPath(OBJECT, parsed), want);
  });

test("columns: a cell each, null where nothing stands", () => {
  const column = (type: string, jsonPath: string) => ({ name: jsonPath, type, jsonPath });
  const { cells, columns } = columnsOf([
    column("integer", ".spec.a"),
    column("string", ".spec.list"),
    column("boolean", ".spec.flag"),
    column("date", ".metadata.creationTimestamp"),
    column("string", ".spec.none"),
    column("integer", ".spec.flag"),
  ]);
  const now = Date.parse("2026-01-01T01:00:00Z");
  assert.deepEqual(cells(OBJECT as unknown as KubeObject, now), [
    "n",
    1,
    '[{"type":"A","status":"True"},{"type":"B","status":"False"}]',
    false,
    "60m",
    null,
    null,
  ]);
  assert.equal(columns.length, 7);
  assert.deepEqual(
    columnsOf([]).columns.map(({ name }) => name),
    ["Name", "Age"],
  );
});

const fieldPaths: readonly (readonly [string, string])[] = [
  [".spec.a", "spec.a"],
  [".spec.labels['a.b']", "spec.labels[a.b]"],
  [".spec['a']", "spec.a"],
  [".spec.x", "does not refer to a valid field"],
  [".spec.", "unexpected end of JSON path"],
  ["spec", "expected [ or . but got: spec"],
  [".spec.list[0]", "expected single quoted string but got 0"],
];

for (const [path, want] of fieldPaths)
  test(`field path ${path}`, () => {
    const labels = { type: "object", additionalProperties: { type: "string" } };
    const list = { type: "array", items: { type: "string" } };
    const spec = { type: "object", properties: { a: { type: "string" }, labels, list } };
    const found = readFieldPath(path, { type: "object", properties: { spec } }, { allowsBrackets: true });
    assert.equal(typeof found === "string" ? found : found.text, want);
  });

const formats: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  [
    "date-time",
    ["2026-02-28T23:59:59Z", "2026-01-01T00:00:00.5+01:00"],
    ["2026-02-30T00:00:00Z", "2026-01-01", "x"],
  ],
  ["date", ["2024-02-29"], ["2026-02-29", "2026-1-1"]],
  ["duration", ["1h30m", "10s", "0", "3 days"], ["", "1", "h"]],
  ["uuid", ["a8098c1a-f86e-11da-bd1a-00112444be1e"], ["a8098c1a"]],
  ["ipv4", ["10.0.0.1"], ["10.0.0", "::1", "010.0.0.1"]],
  ["ipv6", ["::1", "::ffff:10.0.0.1"], ["10.0.0.1", "fe80::1%eth0"]],
  ["cidr", ["10.0.0.0/8", "fd00::/8"], ["10.0.0.0", "10.0.0.0/33", "fd00::/129"]],
  ["mac", ["00:11:22:33:44:55", "0011.2233.4455"], ["00:11:22:33:44"]],
  ["byte", ["aGk=", "aGkh"], ["aGk", "a b="]],
  ["email", ["a@b.c", "A <a@b.c>"], ["a", "@b", "a@"]],
  ["uri", ["https://a/b?c", "mailto:a", "/path"], ["a b", "", "path", "%zz:"]],
  ["hostname", ["a.b-c.d", "localhost"], ["-a", "a..b", "a_b"]],
  ["isbn", ["0321751043", "978-0321751041"], ["0321751042"]],
  ["creditcard", ["4111 1111 1111 1111"], ["4111 1111 1111 1112"]],
  ["hexcolor", ["#fff", "00ff00"], ["#ff"]],
  ["rgbcolor", ["rgb(1, 2, 255)"], ["rgb(1,2,256)"]],
  ["k8s-short-name", ["a-b"], ["A", "a.b"]],
];

for (const [format, right, wrong] of formats)
  test(`format ${format}`, () => {
    for (const value of right) assert.ok(hasFormat(format, value), value);
    for (const value of wrong) assert.ok(!hasFormat(format, value), value);
  });
