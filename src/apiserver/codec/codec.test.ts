import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { ProtobufFault } from "#wire/protobuf/wire-reader";
import { WireWriter } from "../discovery/wire-writer.ts";
import type { JsonObject } from "../json.ts";
import { conform } from "./conform.ts";
import { decodeBody, decodeYaml } from "./decode.ts";
import { duplicateFields, fieldsInText, fieldsInValue, problemsInOrder } from "./duplicates.ts";
import { decodeEnvelope, decodeMessage } from "./protobuf.ts";

const POD = "io.k8s.api.core.v1.Pod";
const SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
const yaml = (text: string): JsonObject => parse(text) as JsonObject;

const cases: readonly {
  name: string;
  given: string;
  unknown?: readonly string[];
  want?: string;
  throws?: RegExp;
}[] = [
  {
    name: "known fields pass",
    given: "{spec: {containers: [{name: a}]}}",
    want: "{spec: {containers: [{name: a}]}}",
  },
  {
    name: "unknown fields are left out and named",
    given: "{spec: {foo: 1, containers: [{name: a, bar: 2}]}, baz: 3}",
    want: "{spec: {containers: [{name: a}]}}",
    unknown: ["spec.foo", "spec.containers[0].bar", "baz"],
  },
  {
    name: "null is absence",
    given: "{metadata: {creationTimestamp: null}, spec: {nodeName: null}}",
    want: "{metadata: {}, spec: {}}",
  },
  {
    name: "null in a map of text is empty",
    given: "{metadata: {labels: {a: null}}}",
    want: '{metadata: {labels: {a: ""}}}',
  },
  {
    name: "a number as a quantity",
    given: "{spec: {containers: [{resources: {limits: {cpu: 1, memory: 64Mi}}}]}}",
    want: '{spec: {containers: [{resources: {limits: {cpu: "1", memory: 64Mi}}}]}}',
  },
  {
    name: "a bad quantity",
    given: "{spec: {containers: [{resources: {limits: {cpu: lots}}}]}}",
    throws: /^quantities must match/,
  },
  {
    name: "text for a number",
    given: "{spec: {terminationGracePeriodSeconds: soon}}",
    throws:
      /^json: cannot unmarshal string into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64$/,
  },
  {
    name: "a number for text",
    given: "{spec: {containers: [{image: 3}]}}",
    throws:
      /^json: cannot unmarshal number into Go struct field Container.spec.containers.image of type string$/,
  },
  {
    name: "an object for a list",
    given: "{spec: {containers: {name: a}}}",
    throws:
      /^json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type \[\]v1.Container$/,
  },
  {
    name: "text for an object",
    given: "{spec: hello}",
    throws: /^json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec$/,
  },
  {
    name: "a fraction for a whole number",
    given: "{spec: {priority: 1.5}}",
    throws: /cannot unmarshal number 1.5 into .* of type int32/,
  },
  { name: "a number too large", given: "{spec: {priority: 3000000000}}", throws: /of type int32/ },
  {
    name: "a port by name or number",
    given:
      "{spec: {containers: [{livenessProbe: {httpGet: {port: web}}, readinessProbe: {httpGet: {port: 80}}}]}}",
    want: "{spec: {containers: [{livenessProbe: {httpGet: {port: web}}, readinessProbe: {httpGet: {port: 80}}}]}}",
  },
  {
    name: "time that is none",
    given: "{metadata: {creationTimestamp: yesterday}}",
    throws: /^parsing time "yesterday"/,
  },
];

for (const { name, given, want, unknown = [], throws } of cases)
  test(`conform: ${name}`, () => {
    if (throws !== undefined) return assert.throws(() => conform(yaml(given), POD), { message: throws });
    const got = conform(yaml(given), POD);
    assert.deepEqual(got.value, yaml(want ?? given));
    assert.deepEqual(got.unknown, unknown);
  });

test("duplicate fields are found by path", () => {
  assert.deepEqual(duplicateFields('{"a": 1, "b": {"c": [{"d": 1, "d": "}{,"}], "c": 2}, "a": "\\"x\\":"}'), [
    "b.c[0].d",
    "b.c",
    "a",
  ]);
  assert.deepEqual(duplicateFields('{"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}'), []);
});

test("what a strict decoder complains of comes once and in the text's order", () => {
  const text =
    '{"metadata": {"x": {"a": 1, "a": 1}, "x": 2, "labels": {"a": "b", "a": "c"}}, "foo": 1, "data": {"a": 1, "a": 2}, "foo": 2, "data": {"a": 1, "a": 2}}';
  assert.deepEqual(problemsInOrder(text, ["metadata.x", "foo"]), [
    'unknown field "metadata.x"',
    'duplicate field "metadata.labels.a"',
    'unknown field "foo"',
    'duplicate field "data.a"',
    'duplicate field "data"',
  ]);
});

test("keys that stand twice in YAML are told by line, the inner ones first", async () => {
  const text = "kind: ConfigMap\ndata:\n  a: b\n  a: c\ndata:\n  a: d\n  b: {c: 1,\n    c: 2}\n";
  const { value, repeated } = await decodeYaml(text);
  assert.deepEqual(value, { kind: "ConfigMap", data: { a: "d", b: { c: 2 } } });
  assert.deepEqual(repeated, [
    'line 4: key "a" already set in map',
    'line 8: key "c" already set in map',
    'line 6: key "data" already set in map',
  ]);
  assert.deepEqual((await decodeYaml('{"a": 1,\n"a": 2}')).repeated, ['line 2: key "a" already set in map']);
  assert.deepEqual((await decodeYaml("{a: 1}")).value, { a: 1 });
});

function envelope(kind: string, apiVersion: string, raw: Uint8Array): Buffer {
  const meta = new WireWriter().text(1, apiVersion).text(2, kind);
  return Buffer.concat([Buffer.from("k8s\0"), new WireWriter().message(1, meta).bytes(2, raw).finish()]);
}

const varint = (field: number, value: number) => Uint8Array.from([field * 8, value]);

test("a pod in protobuf is the pod in JSON, zeroes of plain fields left out", async () => {
  const port = Buffer.concat([varint(2, 0), varint(3, 80), new WireWriter().text(4, "TCP").finish()]);
  const limit = new WireWriter().text(1, "cpu").message(2, new WireWriter().text(1, "500m"));
  const container = new WireWriter()
    .text(1, "a")
    .text(2, "nginx")
    .bytes(6, port)
    .message(8, new WireWriter().message(1, limit));
  const label = new WireWriter().text(1, "app").text(2, "web");
  const created = new WireWriter().bytes(8, Uint8Array.from([8, 0xa5, 0xeb, 0xdc, 0xca, 0x6, 16, 0]));
  const metadata = Buffer.concat([
    new WireWriter().text(1, "p").message(11, label).finish(),
    created.finish(),
  ]);
  const spec = Buffer.concat([new WireWriter().message(2, container).finish(), Uint8Array.from([11 * 8, 0])]);
  const raw = new WireWriter().bytes(1, metadata).bytes(2, spec).finish();
  const { value } = await decodeBody(envelope("Pod", "v1", raw), "application/vnd.kubernetes.protobuf", POD);
  assert.deepEqual(value, {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name: "p", labels: { app: "web" }, creationTimestamp: "2026-01-02T03:04:05Z" },
    spec: {
      containers: [
        {
          name: "a",
          image: "nginx",
          ports: [{ containerPort: 80, protocol: "TCP" }],
          resources: { limits: { cpu: "500m" } },
        },
      ],
    },
  });
});

test("zero replicas are not no replicas", () => {
  const spec = Uint8Array.from([8, 0, 7 * 8, 0]);
  assert.deepEqual(decodeMessage("io.k8s.api.apps.v1.Deployment", new WireWriter().bytes(2, spec).finish()), {
    spec: { replicas: 0 },
  });
});

test("a schema's unions and values are what they stand for", () => {
  const json = (text: string) => new WireWriter().text(1, text);
  const schema = new WireWriter().text(5, "string");
  const properties: readonly [name: string, property: WireWriter, want: JsonObject][] = [
    ["default", new WireWriter().message(8, json("false")), { default: false }],
    ["enum", new WireWriter().message(20, json('"a"')).message(20, json("null")), { enum: ["a", null] }],
    [
      "items",
      new WireWriter().message(24, new WireWriter().message(1, schema)),
      { items: { type: "string" } },
    ],
    ["closed", new WireWriter().bytes(30, varint(1, 0)), { additionalProperties: false }],
    ["open", new WireWriter().bytes(30, varint(1, 1)), { additionalProperties: true }],
    [
      "map",
      new WireWriter().message(30, new WireWriter().message(2, schema)),
      { additionalProperties: { type: "string" } },
    ],
  ];
  for (const [name, property, want] of properties)
    assert.deepEqual(decodeMessage(SCHEMA, property.finish()), want, name);
  assert.deepEqual(decodeMessage(SCHEMA, Uint8Array.from([0xb0, 0x02, 0])), {
    "x-kubernetes-preserve-unknown-fields": false,
  });
});

test("a volume's source stands beside its name", () => {
  const source = new WireWriter().bytes(2, new WireWriter().text(1, "Memory").finish());
  const volume = new WireWriter().text(1, "v").message(2, source).finish();
  assert.deepEqual(decodeMessage("io.k8s.api.core.v1.Volume", volume), {
    name: "v",
    emptyDir: { medium: "Memory" },
  });
});

test("no bytes make the protobuf decoder do anything but answer or refuse", () => {
  let seed = 1;
  const next = () => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed;
  };
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(
      Array.from({ length: next() % 60 }, () =>
        next() % 3 === 0 ? ([0x0a, 0x12, 0x1a, 0x08][next() % 4] ?? 0) : next() % 256,
      ),
    );
    try {
      const raw = round % 2 === 0 ? bytes : decodeEnvelope(Buffer.concat([Buffer.from("k8s\0"), bytes])).raw;
      decodeMessage(POD, raw);
    } catch (error) {
      assert.ok(error instanceof ProtobufFault, `${bytes.toString("hex")}: ${error}`);
    }
  }
});

test("fields are counted alike in text and value, unless one stands twice", () => {
  for (const [text, isTwice] of [
    ['{"a":1,"b":{"c":[{"d":"e\\"f\\\\"}]},"g" : "h:i"}', false],
    ['{"a":"\\\\","b":":","":{"":null}}', false],
    ['{"__proto__":{"a":1},"toString":[[{"a":1}]]}', false],
    ['{"a":1,"a":1}', true],
    ['{"a":{"b":1},"a":{}}', true],
    ['[{"a":1,"\\u0061":2}]', true],
  ] as const)
    assert.equal(fieldsInText(text) !== fieldsInValue(JSON.parse(text)), isTwice, text);
});
