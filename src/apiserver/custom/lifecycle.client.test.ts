import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask, type Line, MERGE, watchPath } from "../testing/client.ts";
import { openRig, type Rig } from "../testing/rig.ts";
import { DEFINITIONS, definition, hasCondition, install, thing, until } from "./testing/definition.ts";

let rig: Rig;
before(async () => {
  rig = await openRig();
});
after(async () => await rig[Symbol.asyncDispose]());

const SIZED = { type: "object", properties: { size: { type: "integer" } } };
const pathOf = (group: string, plural = "things") => `/apis/${group}/v1/namespaces/default/${plural}`;

test("a definition is established at once, and says what it is known as and stored in", async () => {
  const { status } = await install(
    rig,
    definition({ group: "first.example.com" }, SIZED, (body) => {
      body.spec.names.shortNames = ["th"];
    }),
  );
  assert.deepEqual(status.storedVersions, ["v1"]);
  assert.deepEqual(status.acceptedNames, {
    plural: "things",
    singular: "thing",
    shortNames: ["th"],
    kind: "Thing",
    listKind: "ThingList",
  });
  assert.deepEqual(
    status.conditions.map(({ type, status: is, reason }: Line) => [type, is, reason]),
    [
      ["NamesAccepted", "True", "NoConflicts"],
      ["Established", "True", "InitialNamesAccepted"],
    ],
  );
  const list = await ask(rig, "GET", pathOf("first.example.com"));
  assert.deepEqual([list.body.kind, list.body.items], ["ThingList", []]);
});

test("two definitions want one name: the second is not established until the first is gone", async () => {
  const group = "second.example.com";
  await install(
    rig,
    definition({ group, kind: "Thing" }, SIZED, (body) => {
      body.spec.names.shortNames = ["x"];
    }),
  );
  const rival = definition({ group, kind: "Other" }, SIZED, (body) => {
    body.spec.names.shortNames = ["x"];
    body.spec.names.listKind = "ThingList";
  });
  assert.equal((await ask(rig, "POST", DEFINITIONS, { body: rival })).code, 201);
  const path = `${DEFINITIONS}/others.${group}`;
  const { status } = await until(rig, path, ({ body }) => hasCondition(body, "NamesAccepted", "False"));
  const accepted: Line = status.conditions.find(({ type }: Line) => type === "NamesAccepted");
  assert.deepEqual(
    [accepted.reason, accepted.message],
    ["ListKindConflict", '"ThingList" is already in use'],
  );
  assert.ok(hasCondition({ status }, "Established", "False"));
  assert.equal((await ask(rig, "GET", pathOf(group, "others"))).code, 404);
  await ask(rig, "DELETE", `${DEFINITIONS}/things.${group}`);
  await until(rig, path, ({ body }) => hasCondition(body, "Established", "True"));
});

test("a definition that is deleted takes its objects along; who watches them sees each go, and then the end", async () => {
  const group = "third.example.com";
  const of = definition({ group }, SIZED);
  await install(rig, of);
  for (const name of ["a", "b"])
    assert.equal((await ask(rig, "POST", pathOf(group), { body: thing(of, name, { size: 1 }) })).code, 201);
  using watching = await watchPath(rig, `${pathOf(group)}?watch=1`);
  for (const name of ["a", "b"]) assert.equal((await watching.next())?.object.metadata.name, name);
  const gone = await ask(rig, "DELETE", `${DEFINITIONS}/things.${group}`);
  assert.deepEqual(gone.body.metadata.finalizers, ["customresourcecleanup.apiextensions.k8s.io"]);
  assert.ok(hasCondition(gone.body, "Terminating", "True"));
  const events = [await watching.next(), await watching.next(), await watching.next()];
  assert.deepEqual(
    events.map((event) => event?.type),
    ["DELETED", "DELETED", undefined],
  );
  await until(rig, `${DEFINITIONS}/things.${group}`, ({ code }) => code === 404);
  assert.equal((await ask(rig, "GET", pathOf(group))).code, 404);
});

test("an object that holds on keeps its definition; nothing new is made meanwhile", async () => {
  const group = "fourth.example.com";
  const of = definition({ group }, SIZED);
  await install(rig, of);
  const held = thing(
    of,
    "held",
    { size: 1 },
    { metadata: { name: "held", finalizers: ["example.com/hold"] } },
  );
  await ask(rig, "POST", pathOf(group), { body: held });
  await ask(rig, "DELETE", `${DEFINITIONS}/things.${group}`);
  await until(rig, `${pathOf(group)}/held`, ({ body }) => body?.metadata?.deletionTimestamp !== undefined);
  const refused = await ask(rig, "POST", pathOf(group), { body: thing(of, "late", { size: 1 }) });
  assert.deepEqual(
    [refused.code, refused.body.message],
    [405, "create not allowed while custom resource definition is terminating"],
  );
  const resources = await ask(rig, "GET", `/apis/${group}/v1`);
  assert.deepEqual(resources.body.resources[0].verbs, ["delete", "deletecollection", "get", "list", "watch"]);
  const letGo = { headers: MERGE, body: { metadata: { finalizers: null } } };
  assert.equal((await ask(rig, "PATCH", `${pathOf(group)}/held`, letGo)).code, 200);
  await until(rig, `${DEFINITIONS}/things.${group}`, ({ code }) => code === 404);
});

test("a definition changed a hundred times loses nobody: a watch goes on from where the last one ended", async () => {
  const group = "fifth.example.com";
  const of = definition({ group }, SIZED);
  await install(rig, of);
  const seen = new Set<string>();
  let version = (await ask(rig, "GET", pathOf(group))).body.metadata.resourceVersion;
  let isDone = false;
  const follow = async () => {
    while (!isDone || seen.size < 25) {
      using watching = await watchPath(
        rig,
        `${pathOf(group)}?watch=1&resourceVersion=${version}&timeoutSeconds=2`,
      );
      for (let event = await watching.next(); event !== undefined; event = await watching.next()) {
        assert.equal(event.type, "ADDED", JSON.stringify(event));
        version = event.object.metadata.resourceVersion;
        assert.ok(!seen.has(event.object.metadata.name));
        seen.add(event.object.metadata.name);
        if (isDone && seen.size === 25) return;
      }
    }
  };
  const following = follow();
  for (let i = 0; i < 100; i++) {
    const column = { name: `C${i}`, type: "integer", jsonPath: ".spec.size" };
    const patch = [{ op: "add", path: "/spec/versions/0/additionalPrinterColumns", value: [column] }];
    const headers = { "content-type": "application/json-patch+json" };
    const changing = ask(rig, "PATCH", `${DEFINITIONS}/things.${group}`, { headers, body: patch });
    if (i % 4 === 0)
      assert.equal(
        (await ask(rig, "POST", pathOf(group), { body: thing(of, `t${i}`, { size: i }) })).code,
        201,
      );
    assert.equal((await changing).code, 200);
  }
  isDone = true;
  await following;
  const table = await ask(rig, "GET", pathOf(group), {
    headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
  });
  assert.deepEqual(
    table.body.columnDefinitions.map(({ name }: Line) => name),
    ["Name", "C99"],
  );
});

test("what was acknowledged is there after a restart, and its kind with it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "custom-"));
  const group = "sixth.example.com";
  const of = definition({ group }, SIZED);
  try {
    let uid = "";
    {
      await using first = await openRig({ directory });
      await install(first, of);
      uid = (await ask(first, "POST", pathOf(group), { body: thing(of, "a", { size: 7 }) })).body.metadata
        .uid;
      await ask(first, "POST", pathOf(group), { body: thing(of, "b", { size: 8 }) });
      await ask(first, "DELETE", `${pathOf(group)}/b`);
    }
    await using second = await openRig({ directory });
    const list = await ask(second, "GET", pathOf(group));
    assert.deepEqual(
      list.body.items.map(({ metadata, spec }: Line) => [metadata.name, metadata.uid, spec.size]),
      [["a", uid, 7]],
    );
    // In the middle of going: the next server finishes what the last one began.
    await ask(second, "DELETE", `${DEFINITIONS}/things.${group}`);
    await second[Symbol.asyncDispose]();
    await using third = await openRig({ directory });
    await until(third, `${DEFINITIONS}/things.${group}`, ({ code }) => code === 404);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

const updates: readonly (readonly [string, object, RegExp])[] = [
  ["another scope", { scope: "Cluster" }, /spec.scope: Invalid value: "Cluster": field is immutable/],
  ["another kind", { names: { kind: "New" } }, /spec.names.kind: Invalid value: "New": field is immutable/],
  [
    "without a version that objects may be stored in",
    {
      versions: [
        { name: "v2", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
      ],
    },
    /status.storedVersions\[0\]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version/,
  ],
];

test("what a definition may not become", async () => {
  const group = "seventh.example.com";
  await install(rig, definition({ group }, SIZED));
  for (const [what, spec, message] of updates) {
    const refused = await ask(rig, "PATCH", `${DEFINITIONS}/things.${group}`, {
      headers: MERGE,
      body: { spec },
    });
    assert.equal(refused.code, 422, what);
    assert.match(refused.body.message, message, what);
  }
});

test("discovery and OpenAPI tell of what is served, as soon as it is", async () => {
  const group = "eighth.example.com";
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const before = await ask(rig, "GET", "/apis", { headers: { accept } });
  await install(rig, definition({ group }, SIZED));
  const after = await ask(rig, "GET", "/apis", { headers: { accept } });
  assert.notEqual(after.headers.etag, before.headers.etag);
  const found: Line = after.body.items.find(({ metadata }: Line) => metadata.name === group);
  assert.deepEqual(
    found.versions[0].resources.map(({ resource, scope, singularResource }: Line) => [
      resource,
      scope,
      singularResource,
    ]),
    [["things", "Namespaced", "thing"]],
  );
  const index = await ask(rig, "GET", "/openapi/v3");
  const url: string = index.body.paths[`apis/${group}/v1`].serverRelativeURL;
  const schema = (await ask(rig, "GET", url)).body.components.schemas["com.example.eighth.v1.Thing"];
  assert.deepEqual(schema.properties.spec, SIZED);
  await ask(rig, "PATCH", `${DEFINITIONS}/things.${group}`, {
    headers: { "content-type": "application/json-patch+json" },
    body: [
      {
        op: "add",
        path: "/spec/versions/0/schema/openAPIV3Schema/properties/note",
        value: { type: "string" },
      },
    ],
  });
  const changed = await until(
    rig,
    "/openapi/v3",
    ({ body }) => body.paths[`apis/${group}/v1`].serverRelativeURL !== url,
  );
  assert.notEqual(changed.paths[`apis/${group}/v1`].serverRelativeURL, url);
  const swagger = await ask(rig, "GET", "/openapi/v2");
  assert.deepEqual(swagger.body.definitions["com.example.eighth.v1.Thing"].properties.note, {
    type: "string",
  });
});
