import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { type Answer, ask, type Line, MERGE, watchPath } from "../testing/client.ts";
import { KUBECTL, openRig, type Rig } from "../testing/rig.ts";
import { type Body, DEFINITIONS, definition, install, thing } from "./testing/definition.ts";

let rig: Rig;
let of: Body;
before(async () => {
  rig = await openRig();
  of = definition(
    { group: "shop.example.com", kind: "Stall" },
    {
      type: "object",
      description: "What the stall is to be.",
      required: ["name"],
      properties: {
        name: { type: "string", minLength: 2, description: "What it is called." },
        replicas: { type: "integer", minimum: 0, default: 1 },
        tags: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
        ports: {
          type: "array",
          items: {
            type: "object",
            required: ["number"],
            properties: {
              number: { type: "integer" },
              protocol: { type: "string", default: "TCP" },
              note: { type: "string" },
            },
          },
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["number", "protocol"],
        },
        colors: { type: "array", items: { type: "string" } },
        any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
      "x-kubernetes-validations": [{ rule: "self.name == oldSelf.name", message: "the name stays" }],
    },
    (body) => {
      body.spec.names.shortNames = ["stl"];
      body.spec.names.categories = ["market"];
      const [version] = body.spec.versions;
      version.schema.openAPIV3Schema.properties.status = {
        type: "object",
        properties: { replicas: { type: "integer" }, selector: { type: "string" } },
      };
      version.subresources = {
        status: {},
        scale: {
          specReplicasPath: ".spec.replicas",
          statusReplicasPath: ".status.replicas",
          labelSelectorPath: ".status.selector",
        },
      };
      version.selectableFields = [{ jsonPath: ".spec.name" }];
      version.additionalPrinterColumns = [
        { name: "Replicas", type: "integer", jsonPath: ".spec.replicas", description: "How many." },
        { name: "Name-Of", type: "string", jsonPath: ".spec.name", priority: 1 },
        { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
      ];
    },
  );
  await install(rig, of);
});
after(async () => await rig[Symbol.asyncDispose]());

const PATH = "/apis/shop.example.com/v1/namespaces/default/stalls";
const post = (name: string, spec: object, more: object = {}) =>
  ask(rig, "POST", PATH, { body: thing(of, name, spec, more) });
const merge = (name: string, body: object) => ask(rig, "PATCH", `${PATH}/${name}`, { headers: MERGE, body });
const apply = (name: string, manager: string, spec: object, force = false): Promise<Answer> =>
  ask(rig, "PATCH", `${PATH}/${name}?fieldManager=${manager}${force ? "&force=true" : ""}`, {
    headers: { "content-type": "application/apply-patch+yaml" },
    body: thing(of, name, spec),
  });

test("status and spec have a route each; generation counts what is wanted only", async () => {
  const made = await post("halves", { name: "fruit" }, { status: { replicas: 9 } });
  assert.deepEqual([made.code, made.body.status, made.body.metadata.generation], [201, undefined, 1]);
  const { metadata } = made.body;
  const put = await ask(rig, "PUT", `${PATH}/halves/status`, {
    body: thing(of, "halves", { name: "other" }, { metadata, status: { replicas: 2, selector: "a=b" } }),
  });
  assert.deepEqual(
    [put.code, put.body.status, put.body.spec.name],
    [200, { replicas: 2, selector: "a=b" }, "fruit"],
  );
  assert.equal(put.body.metadata.generation, 1);
  const changed = await merge("halves", { spec: { replicas: 3 }, status: { replicas: 8 } });
  assert.deepEqual([changed.body.metadata.generation, changed.body.status.replicas], [2, 2]);
  assert.equal((await merge("halves", { metadata: { labels: { a: "b" } } })).body.metadata.generation, 2);
  const wrong = await ask(rig, "PATCH", `${PATH}/halves/status`, {
    headers: MERGE,
    body: { status: { replicas: "x" } },
  });
  assert.equal(
    wrong.body.message,
    'Stall.shop.example.com "halves" is invalid: [status.replicas: Invalid value: "string": status.replicas in body must be of type integer: "string", .status.replicas: Invalid value: 0: .status.replicas accessor error: x is of the type string, expected int64, <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]'.replace(
      "status.replicas in body",
      "replicas in body",
    ),
  );
});

test("scale reads and writes where the definition says", async () => {
  await post("scaled", { name: "fruit", replicas: 2 });
  await ask(rig, "PATCH", `${PATH}/scaled/status`, {
    headers: MERGE,
    body: { status: { replicas: 1, selector: "app=x" } },
  });
  const scale = await ask(rig, "GET", `${PATH}/scaled/scale`);
  assert.deepEqual(
    [scale.body.kind, scale.body.spec, scale.body.status],
    ["Scale", { replicas: 2 }, { replicas: 1, selector: "app=x" }],
  );
  const put = await ask(rig, "PUT", `${PATH}/scaled/scale`, {
    body: { ...scale.body, spec: { replicas: 5 } },
  });
  assert.deepEqual([put.code, put.body.spec], [200, { replicas: 5 }]);
  assert.equal((await ask(rig, "GET", `${PATH}/scaled`)).body.spec.replicas, 5);
});

test("server-side apply merges by the schema's keys, and knows who said what", async () => {
  const first = await apply("owned", "one", {
    name: "fruit",
    tags: ["a"],
    ports: [{ number: 80 }],
    colors: ["red"],
  });
  assert.equal(first.code, 201, first.text);
  const second = await apply("owned", "two", {
    name: "fruit",
    tags: ["b"],
    ports: [
      { number: 80, protocol: "UDP" },
      { number: 443, note: "x" },
    ],
  });
  assert.equal(second.code, 200, second.text);
  assert.deepEqual(second.body.spec.tags, ["a", "b"]);
  assert.deepEqual(
    second.body.spec.ports.map(({ number, protocol }: Line) => [number, protocol]),
    [
      [80, "TCP"],
      [80, "UDP"],
      [443, "TCP"],
    ],
  );
  const clash = await apply("owned", "two", { name: "fruit", colors: ["blue"] });
  assert.deepEqual(
    [clash.code, clash.body.message],
    [409, 'Apply failed with 1 conflict: conflict with "one": .spec.colors'],
  );
  const forced = await apply("owned", "two", { name: "fruit", colors: ["blue"] }, true);
  assert.deepEqual(
    [forced.body.spec.colors, forced.body.spec.tags, forced.body.spec.ports.length],
    [["blue"], ["a"], 1],
  );
  const entry: Line = forced.body.metadata.managedFields.find(({ manager }: Line) => manager === "one");
  assert.ok(entry.fieldsV1["f:spec"]["f:ports"]['k:{"number":80,"protocol":"TCP"}']);
});

test("field validation: unknown fields are refused, warned of, or dropped", async () => {
  const body = thing(of, "strict", { name: "fruit", nmae: "x", ports: [{ number: 1, nmuber: 2 }] });
  const strict = await ask(rig, "POST", `${PATH}?fieldValidation=Strict`, { body });
  assert.deepEqual(
    [strict.code, strict.body.message],
    [
      400,
      'Stall in version "v1" cannot be handled as a Stall: strict decoding error: unknown field "spec.nmae", unknown field "spec.ports[0].nmuber"',
    ],
  );
  const warned = await ask(rig, "POST", PATH, { body });
  assert.match(String(warned.headers["warning"]), /unknown field \\"spec.nmae\\"/);
  const twice = await ask(rig, "POST", `${PATH}?fieldValidation=Strict`, {
    body: JSON.stringify(thing(of, "dup", { name: "fruit" })).replace(
      '"name":"fruit"',
      '"name":"a","name":"fruit"',
    ),
    headers: { "content-type": "application/json" },
  });
  assert.match(twice.body.message, /duplicate field "spec.name"/);
});

test("rules of transition, nulls and what is kept though unknown", async () => {
  await post("moved", { name: "fruit", any: { x: { y: [1, null] } } });
  const renamed = await merge("moved", { spec: { name: "veg" } });
  assert.deepEqual(
    [renamed.code, renamed.body.message],
    [422, 'Stall.shop.example.com "moved" is invalid: spec: Invalid value: the name stays'],
  );
  assert.deepEqual((await ask(rig, "GET", `${PATH}/moved`)).body.spec.any, { x: { y: [1, null] } });
  const reset = await merge("moved", { spec: { replicas: null } });
  assert.equal(reset.body.spec.replicas, 1, "what is taken away is completed again");
});

test("what was let through before a schema became stricter stays writable where it is not touched", async () => {
  const old = definition(
    { group: "ratchet.example.com" },
    { type: "object", properties: { a: { type: "string" }, b: { type: "string" } } },
  );
  await install(rig, old);
  const path = "/apis/ratchet.example.com/v1/namespaces/default/things";
  await ask(rig, "POST", path, { body: thing(old, "x", { a: "long enough", b: "1" }) });
  const headers = { "content-type": "application/json-patch+json" };
  const stricter = [
    {
      op: "add",
      path: "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/a/maxLength",
      value: 3,
    },
  ];
  await ask(rig, "PATCH", `${DEFINITIONS}/things.ratchet.example.com`, { headers, body: stricter });
  const change = (spec: object) => ask(rig, "PATCH", `${path}/x`, { headers: MERGE, body: { spec } });
  assert.equal((await change({ b: "2" })).code, 200);
  assert.match(
    (await change({ a: "other long" })).body.message,
    /spec.a: Too long: may not be more than 3 bytes/,
  );
  assert.equal((await change({ a: "ok" })).code, 200);
});

test("selectable fields choose in lists and watches; others are refused", async () => {
  await post("apples", { name: "apple" });
  await post("pears", { name: "pear" });
  const select = (field: string) => `${PATH}?fieldSelector=${encodeURIComponent(field)}`;
  const found = await ask(rig, "GET", select("spec.name=pear"));
  assert.deepEqual(
    found.body.items.map(({ metadata }: Line) => metadata.name),
    ["pears"],
  );
  assert.ok(found.body.items[0].apiVersion, "custom objects say what they are, in lists too");
  assert.equal((await ask(rig, "GET", select("spec.replicas=1"))).code, 400);
  using watching = await watchPath(rig, `${select("spec.name=pear")}&watch=1`);
  assert.equal((await watching.next())?.object.metadata.name, "pears");
  const all = await ask(rig, "DELETE", `${PATH}?fieldSelector=spec.name%3Dpear`);
  assert.deepEqual([all.code, all.body.items.length], [200, 1]);
  assert.equal((await watching.next())?.type, "DELETED");
});

test("formats that nobody can write, patches that nobody can merge", async () => {
  const strategic = await ask(rig, "PATCH", `${PATH}/apples`, {
    headers: { "content-type": "application/strategic-merge-patch+json" },
    body: {},
  });
  assert.deepEqual(
    [strategic.code, strategic.body.message],
    [
      415,
      "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    ],
  );
  const sent = await ask(rig, "POST", PATH, {
    headers: { "content-type": "application/vnd.kubernetes.protobuf" },
    body: "k8s\0",
  });
  assert.equal(sent.code, 415);
  const wanted = await ask(rig, "GET", `${PATH}/apples`, {
    headers: { accept: "application/vnd.kubernetes.protobuf" },
  });
  assert.equal(wanted.code, 406);
  const either = await ask(rig, "GET", `${PATH}/apples`, {
    headers: { accept: "application/vnd.kubernetes.protobuf,application/json" },
  });
  assert.equal(either.code, 200);
  const nameless = await ask(rig, "POST", PATH, { body: { metadata: { name: "x" } } });
  assert.deepEqual([nameless.code, nameless.body.message.slice(0, 24)], [400, "Object 'Kind' is missing"]);
});

test("dry runs change nothing, and a PUT must say what it has seen", async () => {
  const dry = await ask(rig, "POST", `${PATH}?dryRun=All`, { body: thing(of, "dry", { name: "fruit" }) });
  assert.deepEqual([dry.code, dry.body.spec.replicas], [201, 1]);
  assert.equal((await ask(rig, "GET", `${PATH}/dry`)).code, 404);
  const put = await ask(rig, "PUT", `${PATH}/apples`, { body: thing(of, "apples", { name: "apple" }) });
  assert.match(
    put.body.message,
    /metadata.resourceVersion: Invalid value: .* must be specified for an update/,
  );
});

const kubectl = async (args: readonly string[], input?: string) => {
  const { code, stdout, stderr } = await rig.kubectl(args, input === undefined ? {} : { input });
  return { code, text: stdout + stderr };
};

test("kubectl: short names, categories, columns, explain, scale, edit by apply and diff", {
  skip: !existsSync(KUBECTL),
}, async () => {
  const stall = `${JSON.stringify(thing(of, "kube", { name: "fruit" }))}\n`;
  assert.match((await kubectl(["apply", "-f", "-"], stall)).text, /stall.shop.example.com\/kube created/);
  assert.match((await kubectl(["apply", "-f", "-"], stall)).text, /unchanged/);
  assert.match((await kubectl(["get", "stl", "kube"])).text, /^NAME +REPLICAS +AGE\nkube +1 +/);
  assert.match((await kubectl(["get", "market", "-o", "wide"])).text, /NAME +REPLICAS +NAME-OF +AGE/);
  assert.match(
    (await kubectl(["explain", "stall.spec"])).text,
    /What the stall is to be[\s\S]*name\t<string> -required-/,
  );
  assert.match((await kubectl(["scale", "stall/kube", "--replicas=4"])).text, /scaled/);
  const typo = stall.replace('"name":"fruit"', '"name":"fruit","colour":"red"');
  assert.match((await kubectl(["apply", "-f", "-"], typo)).text, /unknown field "spec.colour"/);
  const more = stall.replace('"name":"fruit"', '"name":"fruit","tags":["new"]');
  const diff = await kubectl(["diff", "-f", "-"], more);
  assert.deepEqual([diff.code, /\+ {4}- new|\+ {2}tags:/.test(diff.text)], [1, true], diff.text);
  assert.match(
    (await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], more)).text,
    /serverside-applied/,
  );
  assert.match(
    (await kubectl(["patch", "stall", "kube", "--type=merge", "-p", '{"spec":{"name":"veg"}}'])).text,
    /the name stays/,
  );
  assert.match(
    (await kubectl(["api-resources", "--api-group=shop.example.com"])).text,
    /stalls +stl +shop.example.com\/v1 +true +Stall/,
  );
  assert.match((await kubectl(["delete", "stalls", "--all"])).text, /"kube" deleted/);
});
