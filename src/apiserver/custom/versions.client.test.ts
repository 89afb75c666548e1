import assert from "node:assert/strict";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { createSecureContext } from "node:tls";
import { openLog } from "#telemetry/log";
import { ask, type Line, MERGE, watchPath } from "../testing/client.ts";
import { openRig, type Rig } from "../testing/rig.ts";
import { type Body, DEFINITIONS, definition, install, until } from "./testing/definition.ts";

/** v1 says `size` as a number, v2 as text. */
type Convert = (review: Line) => unknown;

let rig: Rig;
let hook: Server;
let url: string;
let questions: Line[] = [];
let answer: Convert = converted;
before(async () => {
  rig = await openRig({ log: openLog({ write: () => {}, level: "error" }) });
  const { cert, key } = rig.certificate("hook.default.svc", "twill");
  const local = rig.certificate("127.0.0.1", "twill");
  hook = createServer(
    {
      ...local,
      SNICallback: (name, done) =>
        done(null, name === "hook.default.svc" ? createSecureContext({ cert, key }) : undefined),
    },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const review: Line = JSON.parse(Buffer.concat(chunks).toString("utf8"));
        questions.push(review);
        const body = answer(review);
        response.setHeader("content-type", "application/json");
        response.end(typeof body === "string" ? body : JSON.stringify(body));
      });
    },
  );
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  url = `https://127.0.0.1:${(hook.address() as AddressInfo).port}/convert`;
});
after(async () => {
  hook.closeAllConnections();
  hook.close();
  await rig[Symbol.asyncDispose]();
});

function converted(review: Line): unknown {
  const { uid, desiredAPIVersion, objects } = review.request;
  const convertedObjects = objects.map((object: Line) => ({
    ...object,
    apiVersion: desiredAPIVersion,
    spec: { size: desiredAPIVersion.endsWith("v2") ? String(object.spec.size) : Number(object.spec.size) },
  }));
  return {
    ...review,
    request: undefined,
    response: { uid, result: { status: "Success" }, convertedObjects },
  };
}

function twoVersions(group: string, conversion: object): Body {
  const size = (type: string) => ({ type: "object", properties: { size: { type } } });
  return definition({ group }, size("integer"), (body) => {
    const [first] = body.spec.versions;
    const schema = { openAPIV3Schema: { type: "object", properties: { spec: size("string") } } };
    body.spec.versions = [first, { ...first, name: "v2", storage: false, schema }];
    body.spec.conversion = conversion;
  });
}

function byHook(target: object): object {
  const caBundle = Buffer.from(rig.ca).toString("base64");
  return {
    strategy: "Webhook",
    webhook: { clientConfig: { ...target, caBundle }, conversionReviewVersions: ["v1"] },
  };
}

const pathOf = (group: string, version: string) => `/apis/${group}/${version}/namespaces/default/things`;
const thing = (group: string, version: string, name: string, size: unknown) => ({
  apiVersion: `${group}/${version}`,
  kind: "Thing",
  metadata: { name },
  spec: { size },
});

test("without a converter, versions differ in name only: each prunes and completes by its own schema", async () => {
  const group = "none.example.com";
  await install(
    rig,
    definition({ group }, { type: "object", properties: { size: { type: "integer" } } }, (body) => {
      const [first] = body.spec.versions;
      const spec = {
        type: "object",
        properties: { size: { type: "integer" }, color: { type: "string", default: "red" } },
      };
      body.spec.versions.push({
        ...first,
        name: "v2",
        storage: false,
        schema: { openAPIV3Schema: { type: "object", properties: { spec } } },
      });
    }),
  );
  const made = await ask(rig, "POST", pathOf(group, "v2"), { body: thing(group, "v2", "a", 1) });
  assert.deepEqual([made.code, made.body.spec], [201, { size: 1, color: "red" }]);
  const first = await ask(rig, "GET", `${pathOf(group, "v1")}/a`);
  assert.deepEqual([first.body.apiVersion, first.body.spec], [`${group}/v1`, { size: 1 }]);
  const changed = await ask(rig, "PATCH", `${pathOf(group, "v2")}/a`, {
    headers: MERGE,
    body: { spec: { size: 2 } },
  });
  assert.deepEqual(
    changed.body.metadata.managedFields.map(({ apiVersion }: Line) => apiVersion),
    [`${group}/v2`],
  );
  assert.equal(changed.body.metadata.generation, 2);
});

test("a webhook converts whatever is read or written in another version, a list in one question", async () => {
  const group = "hook.example.com";
  answer = converted;
  await install(rig, twoVersions(group, byHook({ url })));
  for (const [name, size] of [
    ["a", "1"],
    ["b", "2"],
    ["c", "3"],
  ] as const)
    assert.equal(
      (await ask(rig, "POST", pathOf(group, "v2"), { body: thing(group, "v2", name, size) })).code,
      201,
    );
  questions = [];
  const plain = await ask(rig, "GET", pathOf(group, "v1"));
  assert.deepEqual(
    plain.body.items.map(({ apiVersion, spec }: Line) => [apiVersion, spec.size]),
    [
      [`${group}/v1`, 1],
      [`${group}/v1`, 2],
      [`${group}/v1`, 3],
    ],
  );
  assert.equal(questions.length, 0, "what is stored in the version that is asked for needs no answer");
  await ask(rig, "POST", pathOf(group, "v1"), { body: thing(group, "v1", "d", 4) });
  await ask(rig, "POST", pathOf(group, "v1"), { body: thing(group, "v1", "e", 5) });
  questions = [];
  const list = await ask(rig, "GET", pathOf(group, "v2"));
  assert.deepEqual(
    list.body.items.map(({ spec }: Line) => spec.size),
    ["1", "2", "3", "4", "5"],
  );
  assert.deepEqual(
    questions.map(({ request }) => request.objects.length),
    [2],
  );
  const patched = await ask(rig, "PATCH", `${pathOf(group, "v2")}/a`, {
    headers: MERGE,
    body: { spec: { size: "9" } },
  });
  assert.deepEqual([patched.code, patched.body.spec.size], [200, "9"]);
  assert.equal((await ask(rig, "GET", `${pathOf(group, "v1")}/a`)).body.spec.size, 9);
  const wrong = await ask(rig, "PATCH", `${pathOf(group, "v2")}/a`, {
    headers: MERGE,
    body: { spec: { size: 9 } },
  });
  assert.match(wrong.body.message, /spec.size in body must be of type string: "integer"/);
});

test("a watch in another version shows every change, in order", async () => {
  const group = "watch.example.com";
  answer = converted;
  await install(rig, twoVersions(group, byHook({ url })));
  await ask(rig, "POST", pathOf(group, "v1"), { body: thing(group, "v1", "a", 0) });
  using watching = await watchPath(rig, `${pathOf(group, "v2")}?watch=1`);
  assert.equal((await watching.next())?.object.spec.size, "0");
  for (let size = 1; size <= 5; size++)
    await ask(rig, "PATCH", `${pathOf(group, "v1")}/a`, { headers: MERGE, body: { spec: { size } } });
  await ask(rig, "DELETE", `${pathOf(group, "v1")}/a`);
  const seen: unknown[] = [];
  for (let i = 0; i < 6; i++) {
    const event = await watching.next();
    seen.push([event?.type, event?.object.apiVersion, event?.object.spec.size]);
  }
  const changes = ["1", "2", "3", "4", "5"].map((size) => ["MODIFIED", `${group}/v2`, size]);
  assert.deepEqual(seen, [...changes, ["DELETED", `${group}/v2`, "5"]]);
});

const failures: readonly (readonly [string, Convert, RegExp])[] = [
  [
    "says why",
    (review) => ({
      ...review,
      response: { uid: review.request.uid, result: { status: "Failure", message: "too big" } },
    }),
    /^conversion webhook for bad.example.com\/v1, Kind=Thing failed: too big$/,
  ],
  [
    "gives too few objects",
    (review) => ({
      ...review,
      response: { uid: review.request.uid, result: { status: "Success" }, convertedObjects: [] },
    }),
    /^conversion webhook for bad.example.com\/v1, Kind=Thing returned 0 objects, expected 1$/,
  ],
  [
    "answers another question",
    (review) => ({ ...review, response: { uid: "x", result: { status: "Success" }, convertedObjects: [] } }),
    /failed: expected response.uid="[^"]+", got "x"$/,
  ],
  ["gives no answer", (review) => ({ ...review, response: undefined }), /failed: no response provided$/],
  ["does not answer in JSON", () => "nonsense", /failed: /],
  [
    "changes the name",
    (review) => {
      const [object] = review.request.objects;
      const renamed = {
        ...object,
        apiVersion: review.request.desiredAPIVersion,
        metadata: { ...object.metadata, name: "z" },
      };
      return {
        ...review,
        response: { uid: review.request.uid, result: { status: "Success" }, convertedObjects: [renamed] },
      };
    },
    /returned invalid object: must have the same name: a != z$/,
  ],
  [
    "converts to another version",
    (review) => ({
      ...review,
      response: {
        uid: review.request.uid,
        result: { status: "Success" },
        convertedObjects: review.request.objects,
      },
    }),
    /returned invalid object at index 0: invalid groupVersion \(expected bad.example.com\/v2, received bad.example.com\/v1\)$/,
  ],
];

test("a converter that fails is named, and what it says; nothing else is held up by it", async () => {
  const group = "bad.example.com";
  await install(rig, twoVersions(group, byHook({ url })));
  await ask(rig, "POST", pathOf(group, "v1"), { body: thing(group, "v1", "a", 1) });
  for (const [what, convert, message] of failures) {
    answer = convert;
    const refused = await ask(rig, "GET", `${pathOf(group, "v2")}/a`);
    assert.equal(refused.code, 500, what);
    assert.match(refused.body.message, message, what);
  }
  assert.equal((await ask(rig, "GET", `${pathOf(group, "v1")}/a`)).body.spec.size, 1);
  answer = converted;
  assert.equal((await ask(rig, "GET", `${pathOf(group, "v2")}/a`)).body.spec.size, "1");
  assert.equal((await ask(rig, "DELETE", `${pathOf(group, "v1")}/a`)).code, 200);
});

test("a webhook behind a service is looked for among the service's endpoints", async () => {
  const group = "service.example.com";
  const services = "/api/v1/namespaces/default/services";
  await ask(rig, "POST", services, {
    body: { metadata: { name: "hook" }, spec: { ports: [{ name: "https", port: 443, targetPort: 8443 }] } },
  });
  const service = { namespace: "default", name: "hook", path: "/convert" };
  await install(rig, twoVersions(group, byHook({ service })));
  await ask(rig, "POST", pathOf(group, "v1"), { body: thing(group, "v1", "a", 1) });
  const refused = await ask(rig, "GET", `${pathOf(group, "v2")}/a`);
  assert.match(refused.body.message, /failed: .*no endpoints available for service "hook"/);
});

test("another version to store in: old objects are read on, and written anew by whoever writes them", async () => {
  const group = "storage.example.com";
  answer = converted;
  const body = twoVersions(group, byHook({ url }));
  await install(rig, body);
  await ask(rig, "POST", pathOf(group, "v1"), { body: thing(group, "v1", "a", 1) });
  const patch = [
    { op: "replace", path: "/spec/versions/0/storage", value: false },
    { op: "replace", path: "/spec/versions/1/storage", value: true },
  ];
  const changed = await ask(rig, "PATCH", `${DEFINITIONS}/things.${group}`, {
    headers: { "content-type": "application/json-patch+json" },
    body: patch,
  });
  assert.deepEqual([changed.code, changed.body.status.storedVersions], [200, ["v1", "v2"]]);
  const before = await until(rig, `${pathOf(group, "v1")}/a`, ({ code }) => code === 200);
  assert.equal(before.spec.size, 1);
  const again = await ask(rig, "PUT", `${pathOf(group, "v1")}/a`, { body: before });
  assert.notEqual(
    again.body.metadata.resourceVersion,
    before.metadata.resourceVersion,
    "it is stored otherwise now",
  );
  questions = [];
  assert.equal((await ask(rig, "GET", `${pathOf(group, "v2")}/a`)).body.spec.size, "1");
  assert.equal(questions.length, 0);
  const same = await ask(rig, "PUT", `${pathOf(group, "v1")}/a`, { body: again.body });
  assert.equal(same.body.metadata.resourceVersion, again.body.metadata.resourceVersion);
});
