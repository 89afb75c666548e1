import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import type { KubeObject } from "#kube/object";
import { DEPLOYMENTS, SERVICES } from "#kube/resources";
import { toGoForm } from "../codec/go-form.ts";
import { type JsonObject, objectAt, own } from "../json.ts";
import { applyConfig } from "./apply.ts";
import { formatFields, formatPaths, parseFields, sameSet } from "./field-set.ts";
import { recordUpdate } from "./managed-fields.ts";
import { fieldsOf } from "./typed.ts";

const DEPLOYMENT = "io.k8s.api.apps.v1.Deployment";
const yaml = (text: string): JsonObject => parse(text) as JsonObject;

function owner(manager: string, resource = DEPLOYMENTS, type = DEPLOYMENT) {
  return { manager, subresource: undefined, type, resource, now: Date.parse("2026-01-02T03:04:05Z") };
}

function apply(live: JsonObject | undefined, manager: string, config: string, force = false): JsonObject {
  const given = yaml(config);
  return applyConfig(live as unknown as KubeObject | undefined, {
    config: given,
    owner: owner(manager),
    force,
    hasStatus: true,
  });
}

function managers(object: JsonObject): Record<string, string[]> {
  const list = own(objectAt(object, "metadata") ?? {}, "managedFields") as
    | { manager: string; operation: string; fieldsV1: unknown }[]
    | undefined;
  return Object.fromEntries(
    (list ?? []).map((entry) => [
      `${entry.manager}/${entry.operation}`,
      formatPaths(parseFields(entry.fieldsV1)),
    ]),
  );
}

const BASE =
  "{metadata: {name: d}, spec: {replicas: 1, template: {spec: {containers: [{name: a, image: x}]}}}}";

test("the fields of a configuration are written as upstream writes them", () => {
  const live = apply(undefined, "m", BASE);
  assert.deepEqual(own(objectAt(live, "metadata") ?? {}, "managedFields"), [
    {
      manager: "m",
      operation: "Apply",
      apiVersion: "apps/v1",
      time: "2026-01-02T03:04:05Z",
      fieldsType: "FieldsV1",
      fieldsV1: {
        "f:spec": {
          "f:replicas": {},
          "f:template": {
            "f:spec": { "f:containers": { 'k:{"name":"a"}': { ".": {}, "f:image": {}, "f:name": {} } } },
          },
        },
      },
    },
  ]);
});

test("saying another value of someone else's field is a conflict; the same value is shared; force takes it", () => {
  const live = apply(undefined, "m", BASE);
  assert.throws(() => apply(live, "n", "{spec: {replicas: 2}}"), {
    code: "Conflict",
    message: 'Apply failed with 1 conflict: conflict with "m": .spec.replicas',
  });
  const shared = apply(live, "n", "{spec: {replicas: 1}}");
  assert.deepEqual(managers(shared)["n/Apply"], [".spec.replicas"]);
  assert.ok(managers(shared)["m/Apply"]?.includes(".spec.replicas"));
  const forced = apply(live, "n", "{spec: {replicas: 2}}", true);
  assert.equal(own(objectAt(forced, "spec") ?? {}, "replicas"), 2);
  assert.ok(!managers(forced)["m/Apply"]?.includes(".spec.replicas"));
});

test("what a manager stops saying goes, unless someone else says it", () => {
  const live = apply(undefined, "m", "{metadata: {name: d, labels: {x: a, y: b}}, spec: {replicas: 1}}");
  const shared = apply(live, "n", "{metadata: {labels: {y: b}}}");
  const less = apply(shared, "m", "{metadata: {name: d}, spec: {replicas: 1}}");
  assert.deepEqual(own(objectAt(less, "metadata") ?? {}, "labels"), { y: "b" });
  const gone = apply(less, "n", "{metadata: {name: d}}");
  assert.equal(own(objectAt(gone, "metadata") ?? {}, "labels"), undefined);
  assert.equal(managers(gone)["n/Apply"], undefined);
});

test("list elements are merged by key, pruned by key, and keep the applied order", () => {
  const two = "{spec: {template: {spec: {containers: [{name: a, image: x}, {name: b, image: y}]}}}}";
  const live = apply(undefined, "m", two);
  const third = apply(
    live,
    "n",
    "{spec: {template: {spec: {containers: [{name: c, image: z}, {name: b, image: y}]}}}}",
  );
  const names = (object: JsonObject) =>
    (
      own(objectAt(objectAt(objectAt(object, "spec"), "template"), "spec") ?? {}, "containers") as {
        name: string;
      }[]
    ).map(({ name }) => name);
  assert.deepEqual(names(third).sort(), ["a", "b", "c"]);
  const less = apply(third, "m", "{spec: {template: {spec: {containers: [{name: a, image: x}]}}}}");
  assert.deepEqual(names(less).sort(), ["a", "b", "c"], "b is also n's");
  const least = apply(less, "n", "{spec: {template: {spec: {containers: [{name: c, image: z}]}}}}");
  assert.deepEqual(names(least).sort(), ["a", "c"]);
});

test("two ports of one number are told apart by their protocol, TCP when it is left out", () => {
  const fields = fieldsOf(
    yaml("{spec: {ports: [{port: 53, protocol: UDP}, {port: 53}]}}"),
    "io.k8s.api.core.v1.Service",
  );
  assert.deepEqual(Object.keys(objectAt(objectAt(formatFields(fields), "f:spec"), "f:ports") ?? {}), [
    'k:{"port":53,"protocol":"TCP"}',
    'k:{"port":53,"protocol":"UDP"}',
  ]);
  assert.throws(
    () =>
      applyConfig(undefined, {
        config: yaml("{spec: {ports: [{port: 53}, {port: 53, protocol: TCP}]}}"),
        owner: owner("m", SERVICES as never, "io.k8s.api.core.v1.Service"),
        force: false,
        hasStatus: true,
      }),
    /duplicate entries for key/,
  );
});

test("an update takes what it changed from everybody, and nothing else", () => {
  const live = apply(undefined, "m", BASE);
  toGoForm(live, "io.k8s.api.apps.v1.Deployment");
  const draft = structuredClone(live);
  (draft["spec"] as JsonObject)["replicas"] = 5;
  recordUpdate(draft, live as unknown as KubeObject, owner("kubectl-scale"));
  assert.deepEqual(managers(draft)["kubectl-scale/Update"], [".spec.replicas"]);
  assert.ok(!managers(draft)["m/Apply"]?.includes(".spec.replicas"));
  assert.throws(
    () => apply(draft, "m", BASE),
    /conflict with "kubectl-scale" using apps\/v1: .spec.replicas/,
  );
});

test("an object without history belongs to before-first-apply", () => {
  const live = yaml("{metadata: {name: d}, spec: {replicas: 1, paused: true}}");
  const applied = apply(live, "m", "{metadata: {name: d}, spec: {replicas: 1}}");
  assert.deepEqual(managers(applied)["before-first-apply/Update"], [".spec.replicas", ".spec.paused"].sort());
});

test("applying the same again changes nothing", () => {
  const live = apply(undefined, "m", BASE);
  assert.deepEqual(apply(live, "m", BASE), live);
});

test("managedFields read and written are the same set", () => {
  const source = { "f:a": { ".": {}, 'k:{"x":1}': { ".": {}, "f:y": {} }, 'v:"z"': {} }, "f:b": {} };
  assert.deepEqual(formatFields(parseFields(source)), source);
  assert.ok(sameSet(parseFields(source), parseFields(structuredClone(source))));
});

test("an element that somebody else has only a field of goes with the one who put it there", () => {
  const env = (list: string) => `{spec: {template: {spec: {containers: [{name: a, env: ${list}}]}}}}`;
  const live = apply(undefined, "m", env("[{name: A, value: '1'}, {name: B, value: '1'}]"));
  const forced = apply(live, "other", env("[{name: C, value: '1'}]"));
  const draft = structuredClone(forced);
  const [container] = containersOf(draft);
  const list = (container?.["env"] ?? []) as JsonObject[];
  for (const item of list) if (item["name"] === "A") item["value"] = "2";
  recordUpdate(draft, forced as unknown as KubeObject, owner("hand"));
  const after = apply(draft, "m", env("[{name: B, value: '1'}]"));
  assert.deepEqual(
    ((containersOf(after)[0]?.["env"] ?? []) as JsonObject[]).map(({ name }) => name),
    ["B", "C"],
  );
});

function containersOf(object: JsonObject): JsonObject[] {
  const template = (object["spec"] as JsonObject)["template"] as JsonObject;
  return (template["spec"] as JsonObject)["containers"] as JsonObject[];
}

test("applied elements keep the applied order, the others the live one", () => {
  const orders: readonly [live: string, applied: string, want: string][] = [
    ["A B C", "C", "A B C"],
    ["A B C", "C A", "B C A"],
    ["A C", "A B", "A C B"],
    ["B C", "A B", "A B C"],
    ["A B C D", "D X B", "A C D X B"],
  ];
  const config = (names: string) => {
    const list = names.split(" ").map((name) => `{name: ${name}, value: '1'}`);
    return `{spec: {template: {spec: {containers: [{name: a, env: [${list.join(", ")}]}]}}}}`;
  };
  for (const [was, applied, want] of orders) {
    const after = apply(apply(undefined, "m", config(was)), "other", config(applied));
    const names = ((containersOf(after)[0]?.["env"] ?? []) as JsonObject[]).map(({ name }) => name);
    assert.equal(names.join(" "), want, `${was} with ${applied}`);
  }
});
