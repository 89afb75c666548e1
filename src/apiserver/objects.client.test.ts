import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, create, createNamespace, type Line, label, MERGE } from "./testing/client.ts";
import { openRig, type Rig } from "./testing/rig.ts";

let rig: Rig;
before(async () => {
  rig = await openRig();
  await createNamespace(rig, "lists");
});
after(() => rig[Symbol.asyncDispose]());

const LISTS = "/api/v1/namespaces/lists/configmaps";

test("lists are in key order, in pages of one revision, and say what is left", async () => {
  for (const name of ["c", "a", "d", "b", "e"]) await create(rig, LISTS, name);
  const names = (body: Line) => body.items.map((item: Line) => item.metadata.name);
  const all = (await ask(rig, "GET", LISTS)).body;
  assert.deepEqual(names(all), ["a", "b", "c", "d", "e"]);
  assert.equal(all.kind, "ConfigMapList");
  assert.equal(all.items[0].kind, undefined);
  const first = (await ask(rig, "GET", `${LISTS}?limit=2`)).body;
  assert.deepEqual([names(first), first.metadata.remainingItemCount], [["a", "b"], 3]);
  await ask(rig, "DELETE", `${LISTS}/c`);
  await create(rig, LISTS, "bb");
  const second = (await ask(rig, "GET", `${LISTS}?limit=2&continue=${first.metadata.continue}`)).body;
  assert.deepEqual(
    [names(second), second.metadata.resourceVersion],
    [["c", "d"], first.metadata.resourceVersion],
  );
  const third = (await ask(rig, "GET", `${LISTS}?limit=2&continue=${second.metadata.continue}`)).body;
  assert.deepEqual([names(third), third.metadata.continue], [["e"], undefined]);
  assert.deepEqual(names((await ask(rig, "GET", LISTS)).body), ["a", "b", "bb", "d", "e"]);
  const exact = await ask(
    rig,
    "GET",
    `${LISTS}?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`,
  );
  assert.deepEqual(names(exact.body), ["a", "b", "c", "d", "e"]);
});

test("a write that changes nothing writes nothing", async () => {
  const made = await create(rig, LISTS, "same", { labels: { a: "b" } });
  const again = await label(rig, LISTS, "same", { a: "b" });
  assert.equal(again.metadata.resourceVersion, made.metadata.resourceVersion);
  const put = await ask(rig, "PUT", `${LISTS}/same`, { body: made });
  assert.equal(put.body.metadata.resourceVersion, made.metadata.resourceVersion);
});

test("a write that expects another state is a conflict; one that expects none wins", async () => {
  const made = await create(rig, LISTS, "race");
  await label(rig, LISTS, "race", { a: "1" });
  const stale = await ask(rig, "PUT", `${LISTS}/race`, { body: { ...made, data: { x: "1" } } });
  assert.deepEqual([stale.code, stale.body.reason], [409, "Conflict"]);
  const { resourceVersion: _version, ...metadata } = made.metadata;
  assert.equal((await ask(rig, "PUT", `${LISTS}/race`, { body: { metadata, data: { x: "1" } } })).code, 200);
  const other = await ask(rig, "DELETE", `${LISTS}/race`, { body: { preconditions: { uid: "other" } } });
  assert.match(other.body.message, /the UID in the precondition \(other\) does not match/);
  const writes = await Promise.all(
    Array.from({ length: 20 }, (_, i) => label(rig, LISTS, "race", { [`l${i}`]: "x" })),
  );
  assert.equal(
    Object.keys((await ask(rig, "GET", `${LISTS}/race`)).body.metadata.labels).filter((key) =>
      key.startsWith("l"),
    ).length,
    20,
  );
  assert.equal(new Set(writes.map(({ metadata: { resourceVersion } }) => resourceVersion)).size, 20);
});

test("names are generated, and unknown fields warned of", async () => {
  const { code, body, headers } = await ask(rig, "POST", LISTS, {
    body: { metadata: { generateName: "gen-" }, foo: 1 },
  });
  assert.equal(code, 201);
  assert.match(body.metadata.name, /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.equal(headers["warning"], '299 - "unknown field \\"foo\\""');
});

test("finalizers hold what is deleted until the last one goes", async () => {
  await create(rig, LISTS, "held", { finalizers: ["example.com/a"] });
  const marked = await ask(rig, "DELETE", `${LISTS}/held`);
  assert.equal(marked.code, 200);
  assert.ok(marked.body.metadata.deletionTimestamp);
  const taken = await ask(rig, "POST", LISTS, { body: { metadata: { name: "held" } } });
  assert.match(taken.body.message, /^object is being deleted: configmaps "held" already exists$/);
  const more = await ask(rig, "PATCH", `${LISTS}/held`, {
    headers: MERGE,
    body: { metadata: { finalizers: ["example.com/a", "example.com/b"] } },
  });
  assert.equal(more.code, 422);
  const released = await ask(rig, "PATCH", `${LISTS}/held`, {
    headers: MERGE,
    body: { metadata: { finalizers: null } },
  });
  assert.equal(released.code, 200);
  assert.equal((await ask(rig, "GET", `${LISTS}/held`)).code, 404);
});

test("a collection is deleted by selector", async () => {
  await create(rig, LISTS, "x1", { labels: { gone: "yes" } });
  await create(rig, LISTS, "x2", { labels: { gone: "yes" } });
  const { body } = await ask(rig, "DELETE", `${LISTS}?labelSelector=gone%3Dyes`);
  assert.deepEqual(
    body.items.map((item: Line) => item.metadata.name),
    ["x1", "x2"],
  );
  assert.equal((await ask(rig, "GET", `${LISTS}/a`)).code, 200);
  assert.equal((await ask(rig, "GET", `${LISTS}/x1`)).code, 404);
});

test("YAML is answered to whoever would rather have it", async () => {
  const path = "/api/v1/namespaces/default/configmaps";
  await ask(rig, "POST", path, { body: { metadata: { name: "yaml" }, data: { b: "1", a: "true" } } });
  const headers = { accept: "application/yaml,application/json;q=0.5" };
  const one = await ask(rig, "GET", `${path}/yaml`, { headers });
  assert.equal(one.headers["content-type"], "application/yaml");
  assert.match(one.text, /^apiVersion: v1\ndata:\n {2}a: "true"\n {2}b: "1"\nkind: ConfigMap\n/);
  assert.match((await ask(rig, "GET", `${path}/none`, { headers })).text, /^reason: NotFound$/m);
  const all = await ask(rig, "GET", path, { headers });
  assert.match(all.text, /^items:\n- data:$/m);
});
